"""What each method of the services does: fill in the request, call, wait no longer than allowed, repeat what may be repeated."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import grpc
import grpc.aio
from google.protobuf import duration_pb2, field_mask_pb2, json_format, timestamp_pb2
from google.protobuf.message import Message

from susul import _retry
from susul._errors import SusulError, translate
from susul.v1 import CreatePushRequest, Push

_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response")
_Answer_co = TypeVar("_Answer_co", covariant=True)
_Filled = TypeVar("_Filled", bound=Message)


class Stream(Protocol[_Answer_co]):
    """What a server sends, as gRPC has it."""

    def __iter__(self) -> Iterator[_Answer_co]: ...

    def cancel(self) -> object:
        """Ends it."""


class Caller:
    """Calls methods, blocking."""

    def __init__(self, channel: grpc.Channel, authorization: str, timeout: float) -> None:
        self.channel = channel
        self._metadata = (("authorization", authorization),)
        self._timeout = timeout

    def unary_unary(
        self, name: str, method: grpc.UnaryUnaryMultiCallable[_Request, _Response], request: _Request, timeout: float | None
    ) -> _Response:
        """Calls once, or a few times where a repetition does no harm."""
        attempts = _Attempts(name, self._timeout if timeout is None else timeout)
        while True:
            try:
                return method(request, timeout=attempts.remaining(), metadata=self._metadata)
            except grpc.RpcError as error:
                failure = translate(error)
                wait = attempts.wait(failure)
                if wait is None:
                    raise failure from error
            time.sleep(wait)

    def stream_unary(
        self,
        method: grpc.StreamUnaryMultiCallable[_Request, _Response],
        requests: Iterable[_Request],
        timeout: float | None,
    ) -> _Response:
        """Sends a stream."""
        try:
            return method(iter(requests), timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise translate(error) from error

    def unary_stream(
        self, method: grpc.UnaryStreamMultiCallable[_Request, _Response], request: _Request, timeout: float | None
    ) -> Iterator[_Response]:
        """Yields what a stream brings, until its end."""
        call = self.open(method, request, timeout)
        try:
            yield from call
        except grpc.RpcError as error:
            raise translate(error) from error
        finally:
            call.cancel()

    def open(
        self,
        method: grpc.UnaryStreamMultiCallable[_Request, _Response],
        request: _Request,
        timeout: float | None = None,
    ) -> Stream[_Response]:
        """Returns a stream as gRPC has it."""
        return method(request, timeout=timeout, metadata=self._metadata)


class AsyncCaller:
    """Calls methods, awaiting their answers."""

    def __init__(self, channel: grpc.aio.Channel, authorization: str, timeout: float) -> None:
        self.channel = channel
        self._metadata = (("authorization", authorization),)
        self._timeout = timeout

    async def unary_unary(
        self,
        name: str,
        method: grpc.aio.UnaryUnaryMultiCallable[_Request, _Response],
        request: _Request,
        timeout: float | None,
    ) -> _Response:
        """Calls once, or a few times where a repetition does no harm."""
        attempts = _Attempts(name, self._timeout if timeout is None else timeout)
        while True:
            try:
                return await method(request, timeout=attempts.remaining(), metadata=self._metadata)
            except grpc.RpcError as error:
                failure = translate(error)
                wait = attempts.wait(failure)
                if wait is None:
                    raise failure from error
            await asyncio.sleep(wait)

    async def stream_unary(
        self,
        method: grpc.aio.StreamUnaryMultiCallable[_Request, _Response],
        requests: Iterable[_Request] | AsyncIterable[_Request],
        timeout: float | None,
    ) -> _Response:
        """Sends a stream."""
        try:
            stream = aiter(requests) if isinstance(requests, AsyncIterable) else iter(requests)
            return await method(stream, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise translate(error) from error

    async def unary_stream(
        self, method: grpc.aio.UnaryStreamMultiCallable[_Request, _Response], request: _Request, timeout: float | None
    ) -> AsyncIterator[_Response]:
        """Yields what a stream brings, until its end."""
        call = self.open(method, request, timeout)
        try:
            async for response in call:
                yield response
        except grpc.RpcError as error:
            raise translate(error) from error
        finally:
            call.cancel()

    def open(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[_Request, _Response],
        request: _Request,
        timeout: float | None = None,
    ) -> grpc.aio.UnaryStreamCall[_Request, _Response]:
        """Returns a stream as gRPC has it."""
        return method(request, timeout=timeout, metadata=self._metadata)


class _Attempts:
    """Counts the attempts of a call, and the time that is left for them."""

    def __init__(self, name: str, timeout: float) -> None:
        self._left = _retry.ATTEMPTS if _retry.may_repeat(name) else 1
        self._end = time.monotonic() + timeout
        self._backoff = _retry.Backoff()

    def remaining(self) -> float:
        """Returns how many seconds are left."""
        return max(self._end - time.monotonic(), 0.0)

    def wait(self, error: SusulError) -> float | None:
        """Returns how many seconds to wait before the next attempt; None if there is to be none."""
        self._left -= 1
        if self._left == 0 or not _retry.is_passing(error):
            return None
        wait = self._backoff.after(error)
        return wait if wait < self.remaining() else None


def fill(request: _Filled, **fields: Any) -> _Filled:
    """Sets a request's fields to what a caller gave for them, which is copied. What is None stays unset."""
    for name, value in fields.items():
        if value is not None:
            _fill_field(request, name, value)
    if isinstance(request, CreatePushRequest) and request.HasField("push"):
        _identify(request.push)
    return request


def _fill_field(request: Message, name: str, value: Any) -> None:
    field = request.DESCRIPTOR.fields_by_name[name]
    target = getattr(request, name)
    if field.enum_type is not None and isinstance(value, str):
        json_format.ParseDict({name: value}, request)
    elif field.message_type is None and field.is_repeated:
        target.extend(value)
    elif field.message_type is None:
        setattr(request, name, value)
    elif field.is_repeated:
        for item in value:
            _set(target.add(), item)
    else:
        target.SetInParent()  # an empty message is not an absent one
        _set(target, value)


def _set(target: Message, value: Any) -> None:
    """Sets a message to a value: one of its kind, Python's own type for it, or what proto JSON has for it."""
    if isinstance(target, timestamp_pb2.Timestamp) and isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("give a datetime with its time zone")
        target.FromDatetime(value)
    elif isinstance(target, duration_pb2.Duration) and isinstance(value, timedelta):
        target.FromTimedelta(value)
    elif isinstance(target, field_mask_pb2.FieldMask) and not isinstance(value, Message):
        target.paths.extend(value.split(",") if isinstance(value, str) else value)
    elif isinstance(value, Mapping):
        json_format.ParseDict(dict(value), target)
    else:
        target.CopyFrom(value)


def _identify(push: Push) -> None:
    """Gives a push a request_id, by which a repetition is known; but EngageLab's cid serves as well, if it is given."""
    options = push.additional.fields.get("options")
    if not push.request_id and (options is None or "cid" not in options.struct_value.fields):
        push.request_id = str(uuid.uuid4())
