"""The door with a controller that does what a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import openai
import pytest
from fastapi import FastAPI

from cluster.ingress.app import build_api
from cluster.ingress.prompts import Prompts
from cluster.ingress.solving import Solver
from cluster.settings import IngressSettings, ModelSettings, Settings
from cluster.stream import Inbox, Sender
from tests.cluster.ingress.fakes import FakeController, OpenInbox
from tests.cluster.ingress.transport import StreamingTransport

SETTINGS = Settings(
    model=ModelSettings(max_model_len=512), ingress=IngressSettings(max_body_bytes=100_000)
)


@pytest.fixture(scope="session")
def prompts() -> Prompts:
    return Prompts(SETTINGS.model)


@pytest.fixture
def controller(prompts: Prompts) -> FakeController:
    return FakeController(prompts)


@pytest.fixture
async def inbox() -> AsyncIterator[OpenInbox]:
    inbox = OpenInbox("127.0.0.1")
    yield inbox
    inbox.close()


@pytest.fixture
def sender() -> Iterator[Sender]:
    sender = Sender()
    yield sender
    sender.close()


@pytest.fixture
def solver(prompts: Prompts, controller: FakeController, inbox: Inbox) -> Solver:
    return Solver(SETTINGS, prompts, controller, inbox)


@pytest.fixture
def api(solver: Solver) -> FastAPI:
    return build_api(solver, SETTINGS)


@pytest.fixture
async def http(api: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = StreamingTransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
        yield client


@pytest.fixture
def client(http: httpx.AsyncClient) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        api_key="none", base_url="http://door/v1", http_client=http, max_retries=0
    )
