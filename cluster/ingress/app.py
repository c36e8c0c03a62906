"""The HTTP routes. Knows nothing of Ray; what solves the queries is given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from cluster.ingress import catalog
from cluster.ingress.body import read_document
from cluster.ingress.connection import ClientGone, EventStream, while_connected
from cluster.ingress.errors import (
    CLIENT_CLOSED_REQUEST,
    as_api_error,
    invalid_json,
    unavailable,
)
from cluster.ingress.models import Models
from cluster.ingress.replies import ChatForm, Form, TextForm
from cluster.ingress.requests import Ask, parse_chat, parse_completion
from cluster.ingress.solving import Solver
from cluster.ingress.streaming import server_sent_events
from cluster.settings import Settings

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Parse = Callable[[Mapping[str, Any]], Ask]


class _Route(APIRoute):
    """Turns every exception into an OpenAI error body."""

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except (ClientGone, ClientDisconnect):
                return Response(status_code=CLIENT_CLOSED_REQUEST)
            except Exception as error:
                return as_api_error(error).response()

        return guarded


def build_api(solver: Solver, settings: Settings) -> FastAPI:
    """The application: `/v1/chat/completions`, `/v1/completions`, `/v1/models`, `/v1/programs`,
    `/v1/cluster`, `/health`."""
    models = Models(settings.model, created=int(time.time()))
    router = APIRouter(route_class=_Route)

    async def respond(request: Request, parse: Parse, form_type: type[Form]) -> Response:
        document = await read_document(request, settings.ingress.max_body_bytes)
        try:
            ask = parse(document)
        except RecursionError:  # a message that would show a value some 900 levels deep
            raise invalid_json("is nested too deeply") from None
        task = await solver.prepare(
            ask.query,
            token_ids=ask.token_ids,
            default_max_tokens=ask.default_max_tokens,
            followed=ask.stream,
        )
        form = form_type(task.submit.query_id, ask.model, ask.program)
        if ask.stream:
            usage = ask.include_usage
            pieces = server_sent_events(solver, task, form, include_usage=usage)
            return await EventStream.open(request.receive, pieces)
        return _json(form.whole(await while_connected(request.receive, solver.run(task))))

    chat = partial(parse_chat, models=models)
    completion = partial(parse_completion, models=models, decode=solver.prompts.text_of)

    @router.post("/v1/chat/completions")
    async def chat_completions(request: Request) -> Response:
        return await respond(request, chat, ChatForm)

    @router.post("/v1/completions")
    async def completions(request: Request) -> Response:
        return await respond(request, completion, TextForm)

    @router.get("/v1/models")
    async def list_models() -> Response:
        return _json(models.listing())

    @router.get("/v1/models/{name:path}")
    async def show_model(name: str) -> Response:
        return _json(models.card(name))

    @router.get("/v1/programs/algorithms")
    async def list_algorithms() -> Response:
        return _json(catalog.algorithms(models, settings.scorers))

    @router.get("/v1/programs/policies")
    async def list_policies() -> Response:
        return _json(catalog.policies())

    @router.get("/v1/cluster")
    async def show_cluster() -> Response:
        status, stats = await asyncio.gather(solver.status(), solver.stats())
        return _json(catalog.cluster(status, stats))

    @router.get("/health")
    async def health() -> Response:
        status = await solver.status()
        if status.replicas == 0:
            raise unavailable("no engine replica is attached")
        return _json({"status": "ok", **msgspec.to_builtins(status)})

    api = FastAPI(title="dynasor", openapi_url=None)
    api.include_router(router)
    api.add_exception_handler(HTTPException, _http_error)
    return api


async def _http_error(request: Request, error: Exception) -> Response:
    response = as_api_error(error).response()
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


def _json(document: Any) -> Response:
    return Response(msgspec.json.encode(document), media_type="application/json")
