"""A server that answers as a test wants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, descriptor_pool, duration_pb2, message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from susul import v1

Handler = Callable[[Any, grpc.ServicerContext], Any]


class FakeServer(grpc.GenericRpcHandler):
    """Serves the methods of Susul's services that handlers are set for, and keeps what was asked."""

    def __init__(self, port: int = 0) -> None:
        self.requests: defaultdict[str, list[Any]] = defaultdict(list)
        self.metadata: defaultdict[str, list[dict[str, str | bytes]]] = defaultdict(list)
        self._handlers: dict[str, Handler] = {}
        self._server = grpc.server(ThreadPoolExecutor(8), options=(("grpc.so_reuseport", 0),))
        self._server.add_generic_rpc_handlers((self,))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self.address = f"127.0.0.1:{self.port}"
        self._server.start()

    def on(self, method: str, *handlers: Handler | Message) -> None:
        """Sets what answers a method's calls, one after the other; the last of them all that follow."""
        calls: Iterator[Handler | Message] = iter(handlers)
        last: list[Handler | Message] = []

        def handle(request: Any, context: grpc.ServicerContext) -> Any:
            last[:] = [next(calls, *last)]
            return last[0] if isinstance(last[0], Message) else last[0](request, context)

        self._handlers[method] = handle

    def stop(self) -> None:
        """Breaks off whatever is under way, and stops."""
        self._server.stop(None).wait()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Finds who answers a call."""
        full = details.method.lstrip("/").replace("/", ".")
        method = descriptor_pool.Default().FindMethodByName(full)
        handler = self._handlers.get(method.name)
        if handler is None:
            return None
        metadata = dict(details.invocation_metadata)

        def handle(request: Any, context: grpc.ServicerContext) -> Any:
            self.metadata[method.name].append(metadata)
            if not method.client_streaming:
                self.requests[method.name].append(request)
            return handler(request, context)

        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
        }[method.client_streaming, method.server_streaming]
        takes = message_factory.GetMessageClass(method.input_type)
        return make(handle, request_deserializer=takes.FromString, response_serializer=lambda answer: answer.SerializeToString())


def fail(
    code: grpc.StatusCode,
    reason: str = "",
    *,
    metadata: dict[str, str] | None = None,
    fields: tuple[str, ...] = (),
    retry_after: float | None = None,
    domain: str = "susul.dev",
) -> Handler:
    """Returns a handler that fails as Susul does."""
    details: list[Message] = []
    if reason:
        details.append(error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata))
    if fields:
        violations = [error_details_pb2.BadRequest.FieldViolation(field=f, description=f"{f} is wrong") for f in fields]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(round(retry_after * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=code.value[0], message="a text", details=[_pack(detail) for detail in details])

    def handle(request: Any, context: grpc.ServicerContext) -> NoReturn:  # noqa: ARG001
        if details:
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(code, "a text")

    return handle


def _pack(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def answers(*tokens: int, then: Handler | None = None) -> Handler:
    """Returns a handler that streams an event for each token; 0 is an answer without one. Then it goes on as told, or ends."""

    def handle(request: Any, context: grpc.ServicerContext) -> Iterator[v1.WatchEventsResponse]:
        for token in tokens:
            event = v1.Event(sequence=token) if token else None
            yield v1.WatchEventsResponse(event=event, resume_token=str(token))
        if then is not None:
            then(request, context)

    return handle
