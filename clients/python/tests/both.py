"""Both clients behind one face, so that a test is written once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from susul import AsyncEventWatch, AsyncSusul, EventWatch, Susul, v1

Opened = Callable[..., "Client"]


class Client:
    """One of the clients, called from asyncio: the one that blocks in threads of its own."""

    def __init__(self, client: Susul | AsyncSusul) -> None:
        self.client = client

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._await(self.client.close)

    async def call(self, service: str, method: str, *args: Any, **fields: Any) -> Any:
        """Calls a method of a service."""
        return await self._await(getattr(getattr(self.client, service), method), *args, **fields)

    async def iterate(self, service: str, method: str, **fields: Any) -> AsyncIterator[Any]:
        """Goes through what an iterator of a service yields."""
        iterator = getattr(getattr(self.client, service), method)(**fields)
        if isinstance(self.client, AsyncSusul):
            async for item in iterator:
                yield item
            return
        while (item := await asyncio.to_thread(next, iterator, None)) is not None:
            yield item

    def watch(self, parent: str = "apps/demo", **fields: str) -> Watch:
        """Opens a watch."""
        return Watch(self.client.watch_events(parent, **fields))

    async def _await(self, method: Callable[..., Any], *args: Any, **fields: Any) -> Any:
        if isinstance(self.client, AsyncSusul):
            return await method(*args, **fields)
        return await asyncio.to_thread(method, *args, **fields)


class Watch:
    """A watch of one of the clients."""

    def __init__(self, watch: EventWatch | AsyncEventWatch) -> None:
        self.watch = watch

    async def next(self) -> v1.WatchEventsResponse | None:
        """Returns the next answer, None at the end."""
        if isinstance(self.watch, AsyncEventWatch):
            return await anext(self.watch, None)
        return await asyncio.to_thread(next, self.watch, None)

    async def close(self) -> None:
        """Closes it."""
        if isinstance(self.watch, AsyncEventWatch):
            await self.watch.aclose()
        else:
            self.watch.close()


def run(test: Awaitable[None], seconds: float = 30) -> None:
    """Runs a test, which may not take for ever."""

    async def timed() -> None:
        await asyncio.wait_for(test, seconds)

    asyncio.run(timed())
