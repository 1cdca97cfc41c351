"""Iterators over the pages of list methods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import ParamSpec, Protocol, TypeVar


class _Page(Protocol):
    next_page_token: str


_PageT = TypeVar("_PageT", bound=_Page)
_Fields = ParamSpec("_Fields")


def pages(list_method: Callable[_Fields, _PageT], *args: _Fields.args, **fields: _Fields.kwargs) -> Iterator[_PageT]:
    """Calls a list method with these fields until it has no more to tell, and yields its answers.

    The services' iterators (`iter_pushes` and others) yield what is in them instead.
    """
    while True:
        page = list_method(*args, **fields)
        yield page
        if not page.next_page_token:
            return
        fields["page_token"] = page.next_page_token


async def async_pages(
    list_method: Callable[_Fields, Awaitable[_PageT]], *args: _Fields.args, **fields: _Fields.kwargs
) -> AsyncIterator[_PageT]:
    """Does what `pages` does, with a list method of AsyncSusul's."""
    while True:
        page = await list_method(*args, **fields)
        yield page
        if not page.next_page_token:
            return
        fields["page_token"] = page.next_page_token
