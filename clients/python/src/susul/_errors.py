"""The error that calls raise, and what Susul says in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

_DOMAIN = "susul.dev"
_DETAILS = "grpc-status-details-bin"


class Reason(str, Enum):
    """Susul's reasons, to compare `SusulError.reason` with; proto/susul/v1/errors.proto tells when each is sent. A server that is
    newer than this package may send others.
    """

    INVALID_REQUEST = "INVALID_REQUEST"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    ETAG_MISMATCH = "ETAG_MISMATCH"
    WRONG_STATE = "WRONG_STATE"
    ENGAGELAB_REFUSED = "ENGAGELAB_REFUSED"
    ENGAGELAB_UNAVAILABLE = "ENGAGELAB_UNAVAILABLE"
    STANDBY = "STANDBY"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    ETCD_UNAVAILABLE = "ETCD_UNAVAILABLE"
    INTERNAL = "INTERNAL"
    OVERLOADED = "OVERLOADED"
    TOO_LARGE = "TOO_LARGE"
    SLOW_CONSUMER = "SLOW_CONSUMER"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class FieldViolation:
    """What is wrong with one field of a request."""

    field: str
    """The field's path, for example `push.options.big_push_duration`."""
    description: str
    """What is wrong with it, for people."""


class SusulError(Exception):
    """A call failed. `__cause__` is gRPC's own error."""

    code: grpc.StatusCode
    """gRPC's status."""
    message: str
    """What happened, for people; it may change."""
    reason: str
    """Susul's reason, one of `Reason`. Empty if the error is not of Susul's own: nobody answered, or not in time."""
    metadata: Mapping[str, str]
    """What belongs to the reason, for example `resource`."""
    field_violations: tuple[FieldViolation, ...]
    """All that is wrong with the request, for INVALID_REQUEST."""
    retry_after: float | None
    """The seconds after which a repetition may succeed; None if Susul does not say that one may."""

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        field_violations: tuple[FieldViolation, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{reason or code.name}: {message}")
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata = MappingProxyType(dict(metadata or {}))
        self.field_violations = field_violations
        self.retry_after = retry_after


def translate(error: grpc.RpcError) -> SusulError:
    """Returns a call's error with what Susul says in its details."""
    if not isinstance(error, (grpc.Call, grpc.aio.AioRpcError)):
        return SusulError(grpc.StatusCode.UNKNOWN, str(error))
    reason, metadata, violations, retry_after = "", {}, [], None
    for detail in _status(error).details:
        info, request, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(info) and info.domain == _DOMAIN:
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(request):
            violations += [FieldViolation(v.field, v.description) for v in request.field_violations]
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    return SusulError(
        error.code(),
        error.details() or "",
        reason=reason,
        metadata=metadata,
        field_violations=tuple(violations),
        retry_after=retry_after,
    )


def _status(error: grpc.Call | grpc.aio.AioRpcError) -> status_pb2.Status:
    """Returns the status with its details, an empty one if there is none that can be read."""
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status()
