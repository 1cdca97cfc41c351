"""Which calls are repeated, and when."""

from __future__ import annotations

import random

import grpc

from susul._errors import SusulError

ATTEMPTS = 4

# Calls that change nothing when they are repeated. All that only read are, too.
_REPEATABLE = frozenset(
    {
        "BacktestResendPolicy",
        "CreatePush",  # by its request_id
        "ExplainRecipient",
        "PauseRelayEndpoint",
        "PreviewResendPolicy",
        "ReportCallbacks",
        "ResumeRelayEndpoint",
        "ReviveDevices",
        "SetDevices",
        "UpdateFollowUpSwitch",
        "ValidatePush",
    }
)

# What no repetition cures.
_FINAL = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)


class Backoff:
    """The waits between attempts: 0.1 s, 0.2 s … up to 10 s, each with jitter."""

    _FIRST = 0.1
    _LONGEST = 10.0

    def __init__(self) -> None:
        self._next = self._FIRST

    def reset(self) -> None:
        """Begins anew, after a success."""
        self._next = self._FIRST

    def after(self, error: SusulError | None) -> float:
        """Returns how many seconds to wait: what the error says, else the next wait."""
        wait = self._next * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        self._next = min(self._next * 2, self._LONGEST)
        return wait if error is None or error.retry_after is None else error.retry_after


def may_repeat(method: str) -> bool:
    """Tells whether a method may be repeated without harm."""
    return method in _REPEATABLE or method.startswith(("Get", "List"))


def is_passing(error: SusulError) -> bool:
    """Tells whether a repetition of a call may succeed."""
    if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return error.retry_after is not None
    return error.code is grpc.StatusCode.UNAVAILABLE


def ends_watch(error: SusulError) -> bool:
    """Tells whether it is of no use to open a watch again."""
    return error.code in _FINAL
