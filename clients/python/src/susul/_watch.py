"""Watches: streams of events that outlive connections and servers.

    open after the last answer ──► an answer ──► handed out ──► the next …
      ▲                                │
      └── wait 0.1 s, 0.2 s … 10 s ◄───┴── the stream ended, or broke

Only an error that no repetition cures ends a watch, and its owner.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from types import TracebackType

import grpc
import grpc.aio

from susul._calls import AsyncCaller, Caller, Stream
from susul._errors import SusulError, translate
from susul._retry import Backoff, ends_watch
from susul.v1 import WatchEventsRequest, WatchEventsResponse
from susul.v1.callback_service_pb2_grpc import CallbackServiceStub


class EventWatch(Iterator[WatchEventsResponse]):
    """Yields the answers of WatchEvents, without end. Another thread may close it."""

    def __init__(self, caller: Caller, request: WatchEventsRequest) -> None:
        self._caller = caller
        self._method = CallbackServiceStub(caller.channel).WatchEvents
        self._request = request
        self._closed = threading.Event()
        self._call: Stream[WatchEventsResponse] | None = None
        self._answers = self._follow()

    def __next__(self) -> WatchEventsResponse:
        return next(self._answers)

    def __enter__(self) -> EventWatch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the watch; whoever waits for its next answer gets none."""
        self._closed.set()
        if self._call is not None:
            self._call.cancel()

    def _follow(self) -> Iterator[WatchEventsResponse]:
        backoff = Backoff()
        while not self._closed.is_set():
            failure: SusulError | None = None
            try:
                self._call = self._caller.open(self._method, self._request)
                if self._closed.is_set():  # meanwhile
                    self._call.cancel()
                first = True
                for answer in self._call:
                    if not first:  # the first one comes even from a server that is about to go
                        backoff.reset()
                    first = False
                    self._request.resume_token = answer.resume_token
                    yield answer
            except grpc.RpcError as error:
                if self._closed.is_set():
                    return
                failure = translate(error)
                if ends_watch(failure):
                    raise failure from error
            except ValueError:  # the channel is closed
                if not self._closed.is_set():
                    raise
                return
            finally:
                if self._call is not None:
                    self._call.cancel()
            self._closed.wait(backoff.after(failure))


class AsyncEventWatch(AsyncIterator[WatchEventsResponse]):
    """Yields the answers of WatchEvents, without end. Another task may close it."""

    def __init__(self, caller: AsyncCaller, request: WatchEventsRequest) -> None:
        self._caller = caller
        self._method = CallbackServiceStub(caller.channel).WatchEvents
        self._request = request
        self._closed = asyncio.Event()
        self._call: grpc.aio.UnaryStreamCall[WatchEventsRequest, WatchEventsResponse] | None = None
        self._answers = self._follow()

    async def __anext__(self) -> WatchEventsResponse:
        return await anext(self._answers)

    async def __aenter__(self) -> AsyncEventWatch:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the watch; whoever waits for its next answer gets none."""
        self._closed.set()
        if self._call is not None:
            self._call.cancel()

    async def _follow(self) -> AsyncIterator[WatchEventsResponse]:
        backoff = Backoff()
        while not self._closed.is_set():
            failure: SusulError | None = None
            try:
                self._call = self._caller.open(self._method, self._request)
                first = True
                async for answer in self._call:
                    if not first:
                        backoff.reset()
                    first = False
                    self._request.resume_token = answer.resume_token
                    yield answer
            except asyncio.CancelledError:
                if not self._closed.is_set() or _is_cancelled():  # it is the task that was cancelled, not the call
                    raise
                return
            except grpc.RpcError as error:
                if self._closed.is_set():
                    return
                failure = translate(error)
                if ends_watch(failure):
                    raise failure from error
            finally:
                if self._call is not None:
                    self._call.cancel()
            await _wait(self._closed, backoff.after(failure))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Waits, but no longer than until the event."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def _is_cancelled() -> bool:
    """Tells whether this task was cancelled; before Python 3.11 there is no knowing."""
    return sys.version_info >= (3, 11) and (task := asyncio.current_task()) is not None and task.cancelling() > 0
