from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from susul import AsyncSusul, Susul
from tests.both import Client, Opened
from tests.fake import FakeServer


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.stop()


@pytest.fixture(params=[Susul, AsyncSusul], ids=["sync", "async"])
def connect(request: pytest.FixtureRequest, server: FakeServer) -> Opened:
    """Returns what connects one of the clients to the server."""

    def opened(**arguments: Any) -> Client:
        arguments = {"app": "demo", "master_secret": "secret", **arguments}
        return Client(request.param(server.address, **arguments))

    return opened
