"""Clients that leave, controllers that die, engines that fail, clusters that are full."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx
import openai
import pytest

from cluster.ingress import solving
from cluster.ingress.controller import ControllerLost
from cluster.ingress.errors import ApiError
from cluster.ingress.solving import Solver
from cluster.protocol import Refused
from dynasor.inputs import Submit
from dynasor.query import Query
from dynasor.result import Result
from tests.cluster.ingress.fakes import FakeController
from tests.waiting import until

USER: Any = [{"role": "user", "content": "2+2?"}]
BODY: Any = {"messages": USER}


async def never(submit: Submit) -> Result:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_cancels_its_program(
    http: httpx.AsyncClient, controller: FakeController, stream: bool
) -> None:
    controller.reply = never
    body = {**BODY, "stream": stream}
    asking = asyncio.create_task(http.post("/v1/chat/completions", json=body))
    await until(lambda: len(controller.submits) == 1)
    asking.cancel()
    await until(lambda: controller.cancelled == [controller.submits[0].query_id])


async def test_a_client_that_leaves_an_open_stream_cancels_its_program(
    http: httpx.AsyncClient, controller: FakeController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solving, "KEEP_ALIVE_S", 0.01)
    controller.reply = never
    body = {**BODY, "stream": True}
    async with http.stream("POST", "/v1/chat/completions", json=body) as reply:
        await anext(reply.aiter_bytes())
        assert controller.cancelled == []
    await until(lambda: controller.cancelled == [controller.submits[0].query_id])


async def test_a_cancelled_handle_call_cancels_its_program(
    solver: Solver, controller: FakeController
) -> None:
    controller.reply = never
    call = asyncio.create_task(solver.solve(Query(prompt="2+2=")))
    await until(lambda: len(controller.submits) == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert controller.cancelled == [controller.submits[0].query_id]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "CONTROLLER_RETRY_S", 0.001)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_query_goes_to_the_next_controller(
    http: httpx.AsyncClient, controller: FakeController, stream: bool
) -> None:
    async def reply(submit: Submit) -> Result | Refused:
        if len(controller.submits) == 1:
            raise ControllerLost
        if len(controller.submits) == 2:
            return Refused("full for a moment", 0.001)
        return await controller.finish(submit)

    controller.reply = reply
    answer = await http.post("/v1/chat/completions", json={**BODY, "stream": stream})
    assert answer.status_code == 200 and "The answer is 4." in answer.text
    assert len({submit.query_id for submit in controller.submits}) == 1
    assert controller.cancelled == []


@pytest.mark.usefixtures("quick")
async def test_a_deadline_goes_on_while_the_controller_is_away(
    http: httpx.AsyncClient, controller: FakeController, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def reply(submit: Submit) -> Result | Refused:
        if len(controller.submits) == 1:
            raise ControllerLost
        return await controller.finish(submit)

    controller.reply = reply
    body = {**BODY, "program": {"deadline_s": 30}}
    assert (await http.post("/v1/chat/completions", json=body)).status_code == 200
    first, second = (submit.query.program.terms.deadline_s for submit in controller.submits)
    assert first == 30 and second is not None and 29 < second < 30


@pytest.mark.usefixtures("quick")
async def test_the_terms_of_a_query_go_to_the_next_controller(
    http: httpx.AsyncClient, controller: FakeController
) -> None:
    async def reply(submit: Submit) -> Result:
        if len(controller.submits) == 1:
            raise ControllerLost
        return await controller.finish(submit)

    controller.reply = reply
    terms = {"deadline_s": 30, "tenant": "me", "effort": "low", "priority_s": 2, "tag": "sums"}
    body = {**BODY, "program": {**terms, "max_total_tokens": 9000, "max_disagreement": 0.02}}
    assert (await http.post("/v1/chat/completions", json=body)).status_code == 200
    first, second = (submit.query.program.terms for submit in controller.submits)
    assert second.model_copy(update={"deadline_s": 30.0}) == first
    assert controller.submits[1].model == "abacus"


@pytest.mark.usefixtures("quick")
async def test_a_full_new_controller_is_not_waited_for_longer_than_allowed(
    http: httpx.AsyncClient, controller: FakeController, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def reply(submit: Submit) -> Refused:
        if len(controller.submits) == 1:
            raise ControllerLost
        return Refused("full for an hour", 3600)

    monkeypatch.setattr(solving, "RESUBMIT_S", 0.01)
    controller.reply = reply
    answer = await http.post("/v1/chat/completions", json=BODY)
    assert answer.status_code == 429 and answer.headers["retry-after"] == "3600"


@pytest.mark.usefixtures("quick")
async def test_a_controller_that_stays_away_is_an_error(
    http: httpx.AsyncClient, controller: FakeController, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object) -> Any:
        raise ControllerLost

    monkeypatch.setattr(solving, "RESUBMIT_S", 0.01)
    controller.reply = lost
    monkeypatch.setattr(controller, "status", lost)
    answer = await http.post("/v1/chat/completions", json=BODY)
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "unavailable"
    assert (await http.get("/health")).status_code == 503
    monkeypatch.setattr(controller, "stats", lost)
    assert (await http.get("/v1/cluster")).status_code == 503


async def test_a_full_cluster_says_when_to_come_back(
    http: httpx.AsyncClient, controller: FakeController, solver: Solver
) -> None:
    async def reply(submit: Submit) -> Refused:
        return Refused("4096 programs are in progress", 1.2)

    controller.reply = reply
    refused = await http.post("/v1/chat/completions", json=BODY)
    assert refused.status_code == 429 and refused.headers["retry-after"] == "2"
    assert refused.json()["error"] == {
        "message": "4096 programs are in progress",
        "type": "rate_limit_error",
        "param": None,
        "code": "overloaded",
    }
    with pytest.raises(ApiError, match="in progress"):
        await solver.solve(Query(prompt="2+2="))


@pytest.mark.parametrize("n", [1, 2])
async def test_an_engine_failure_is_told_in_the_engines_words(
    client: openai.AsyncOpenAI, controller: FakeController, n: int
) -> None:
    async def reply(submit: Submit) -> Result:
        failed = controller.branch(0, "", finish="error", message="no such kernel")
        others = [controller.branch(number, "2") for number in range(1, n)]
        return controller.result(
            submit, branches=[failed, *others], stop="failed" if n == 1 else "complete"
        )

    controller.reply = reply
    with pytest.raises(openai.InternalServerError, match="no such kernel"):
        await client.chat.completions.create(model="abacus", messages=USER, n=n)


async def test_an_unexpected_error_is_logged_once_and_not_told(
    http: httpx.AsyncClient, controller: FakeController, caplog: pytest.LogCaptureFixture
) -> None:
    async def reply(submit: Submit) -> Result:
        raise RuntimeError("secret detail")

    controller.reply = reply
    with caplog.at_level(logging.INFO):
        answer = await http.post("/v1/chat/completions", json=BODY)
    assert answer.status_code == 500 and "secret" not in answer.text
    assert answer.json()["error"]["code"] == "internal_error"
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]
