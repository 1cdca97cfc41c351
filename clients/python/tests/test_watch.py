from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import grpc
import pytest

from susul import Reason, SusulError
from tests.both import Client, Opened, Watch, run
from tests.fake import FakeServer, answers, fail

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
SLOW = fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_CONSUMER", metadata={"resume_token": "9"})


class Hanging:
    """A handler that streams answers and then waits for its call's end."""

    def __init__(self, *tokens: int) -> None:
        self.over = threading.Event()
        self._tokens = tokens

    def __call__(self, request: Any, context: grpc.ServicerContext) -> Any:
        context.add_callback(self.over.set)
        yield from answers(*self._tokens)(request, context)
        self.over.wait(20)


async def take(watch: Watch, count: int) -> list[int]:
    """Returns the tokens of the next answers."""
    found = []
    for _ in range(count):
        answer = await watch.next()
        assert answer is not None
        assert answer.event.sequence == int(answer.resume_token)
        assert answer.HasField("event") == (answer.resume_token != "0")
        found.append(int(answer.resume_token))
    return found


@pytest.mark.parametrize(
    "end",
    [
        None,
        fail(UNAVAILABLE),
        fail(UNAVAILABLE, "STANDBY", retry_after=0.001),
        SLOW,
        fail(grpc.StatusCode.INTERNAL),
        fail(grpc.StatusCode.UNKNOWN),
        fail(grpc.StatusCode.CANCELLED),
        fail(grpc.StatusCode.ABORTED),
    ],
)
def test_whatever_ends_a_stream_it_goes_on_after_the_last_answer(connect: Opened, server: FakeServer, end: Any) -> None:
    hanging = Hanging(5)
    server.on("WatchEvents", answers(0, 1, 2, then=end), answers(3, 4, then=end), answers(then=end), hanging)

    async def test() -> None:
        async with connect() as client:
            watch = client.watch(filter="true", msg_id="7")
            assert await take(watch, 6) == [0, 1, 2, 3, 4, 5]
            await watch.close()
            assert await watch.next() is None

    run(test())
    assert hanging.over.wait(10)
    asked = [(r.parent, r.filter, r.msg_id, r.resume_token) for r in server.requests["WatchEvents"]]
    assert asked == [("apps/demo", "true", "7", token) for token in ("", "2", "4", "4")]


def test_a_stream_that_only_begins_is_no_success(connect: Opened, server: FakeServer) -> None:
    server.on("WatchEvents", answers(0), answers(0), answers(0), answers(0), Hanging(1))

    async def test() -> None:
        async with connect() as client:
            began = time.monotonic()
            assert await take(client.watch(), 5) == [0, 0, 0, 0, 1]
            assert time.monotonic() - began >= 0.05 + 0.1 + 0.2 + 0.4

    run(test())


def test_it_begins_where_it_is_told_to(connect: Opened, server: FakeServer) -> None:
    server.on("WatchEvents", fail(UNAVAILABLE), Hanging(4))

    async def test() -> None:
        async with connect() as client:
            assert await take(client.watch(resume_token="3"), 1) == [4]

    run(test())
    assert [request.resume_token for request in server.requests["WatchEvents"]] == ["3", "3"]


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNIMPLEMENTED,
    ],
)
def test_what_no_repetition_cures_ends_it(connect: Opened, server: FakeServer, code: grpc.StatusCode) -> None:
    server.on("WatchEvents", answers(1, then=fail(code, "NOT_FOUND")))

    async def test() -> None:
        async with connect() as client:
            watch = client.watch()
            assert await take(watch, 1) == [1]
            with pytest.raises(SusulError) as caught:
                await watch.next()
            assert (caught.value.code, caught.value.reason) == (code, Reason.NOT_FOUND)
            assert await watch.next() is None

    run(test())
    assert len(server.requests["WatchEvents"]) == 1


def test_it_outlives_its_server(connect: Opened, server: FakeServer) -> None:
    server.on("WatchEvents", Hanging(1))

    async def test() -> None:
        async with connect() as client:
            watch = client.watch()
            assert await take(watch, 1) == [1]
            await asyncio.to_thread(server.stop)
            waiting = asyncio.create_task(take(watch, 1))
            second = FakeServer(server.port)
            second.on("WatchEvents", Hanging(2))
            assert await waiting == [2]
            assert [request.resume_token for request in second.requests["WatchEvents"]] == ["1"]
            await watch.close()
            await asyncio.to_thread(second.stop)

    run(test())


@pytest.mark.parametrize("by", ["watch", "client"])
def test_closing_ends_the_wait(connect: Opened, server: FakeServer, by: str) -> None:
    hanging = Hanging(1)
    server.on("WatchEvents", hanging)

    async def test() -> None:
        client = connect()
        watch = client.watch()
        assert await take(watch, 1) == [1]
        waiting = asyncio.create_task(watch.next())
        await asyncio.sleep(0)  # it begins
        await (watch.close() if by == "watch" else client.__aexit__())
        assert await waiting is None
        assert await watch.next() is None
        await client.__aexit__()

    run(test(), 10)
    assert hanging.over.wait(10)


def test_closing_ends_the_wait_for_the_next_attempt(connect: Opened, server: FakeServer) -> None:
    refused = threading.Event()

    def refuse(request: Any, context: grpc.ServicerContext) -> Any:
        refused.set()
        fail(UNAVAILABLE, "STANDBY", retry_after=60)(request, context)

    server.on("WatchEvents", refuse)

    async def test() -> None:
        async with connect() as client:
            watch = client.watch()
            waiting = asyncio.create_task(watch.next())
            assert await asyncio.to_thread(refused.wait, 10)
            await watch.close()
            assert await waiting is None

    run(test(), 10)


def test_a_task_that_is_cancelled_is(connect: Opened, server: FakeServer) -> None:
    hanging = Hanging(1)
    server.on("WatchEvents", hanging)

    async def test() -> None:
        client: Client = connect()
        if not hasattr(client.client, "__aenter__"):
            await client.__aexit__()
            return  # threads can't be cancelled
        watch = client.watch()
        assert await take(watch, 1) == [1]
        waiting = asyncio.create_task(watch.next())
        await asyncio.sleep(0)  # it begins
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await client.__aexit__()

    run(test())
