"""Callbacks that Susul relays to a web server: that they are Susul's own, and what is in them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any

_TOLERANCE = 5 * 60  # seconds, before and after now
_KEY_PREFIX = "whsec_"
_TIMESTAMP = re.compile(r"[0-9]{1,15}", re.ASCII)


class CallbackFault(str, Enum):
    """Why a callback is refused."""

    MISSING_HEADER = "MISSING_HEADER"
    MALFORMED_HEADER = "MALFORMED_HEADER"
    STALE = "STALE"
    WRONG_SIGNATURE = "WRONG_SIGNATURE"
    MALFORMED_BODY = "MALFORMED_BODY"

    def __str__(self) -> str:
        return self.value


class CallbackError(Exception):
    """A callback is refused: answer with 401, or with 400 if its body is at fault."""

    fault: CallbackFault
    """Why."""

    def __init__(self, fault: CallbackFault, message: str) -> None:
        super().__init__(f"{fault}: {message}")
        self.fault = fault


@dataclass(frozen=True)
class CallbackRow:
    """One event, as it is posted to callback_urls and to subscriptions."""

    event_id: str
    """Susul's id of the event. The same event may be posted more than once: deduplicate by this."""
    msg_id: str
    """The push's msg_id."""
    registration_id: str
    """The device."""
    status: str
    """What happened, in EngageLab's words: sent, delivered, impression, click, or the name of a failure."""
    step: int
    """The step that it belongs to; 0 is the first sending."""
    variant: str
    """The variant of the step; empty for a step without."""
    time: datetime
    """When it happened, to the second."""
    sender: str
    """The push's `from`."""
    channel: str
    """The vendor's channel that carried it, for example `FCM`."""
    custom_args: Any
    """The push's own, an object or a string."""
    error_code: int
    """EngageLab's code of a failure; 0 for none."""
    error_message: str
    """EngageLab's text of a failure."""
    loss_source: str
    """Where it was lost, if it was."""
    upstream_id: str
    """EngageLab's id of the message."""
    test: bool
    """It is made up, by TestRelayEndpoint."""
    raw: Mapping[str, Any] = field(repr=False)
    """The row as it came."""


def verify_callback(
    headers: Mapping[str, str], body: bytes, *, username: str, secrets: Sequence[str], now: float | None = None
) -> list[CallbackRow]:
    """Returns what a relayed callback reports, after making sure that it is Susul's and not older than 5 minutes.

    Args:
        headers: The request's, whatever letters their names are in.
        body: The request's body, byte by byte as it came.
        username: The user name that the subscription, or the server's relay, signs with.
        secrets: The secrets that are good: one, or two while they are being changed.
        now: The time in seconds since 1970; default: that of this machine.

    Raises:
        CallbackError: It is not to be believed, or can't be read.
        ValueError: There are no secrets.
    """
    if not secrets or not all(secrets):
        raise ValueError("give at least one secret, and none that is empty")
    now = time.time() if now is None else now
    given = {name.lower(): value for name, value in headers.items()}
    parts = _callback_id(_header(given, "x-callback-id"))
    message_id = _header(given, "webhook-id")
    sent = _header(given, "webhook-timestamp")
    signatures = _header(given, "webhook-signature").split()
    for timestamp in (parts["timestamp"], sent):
        if abs(now - _seconds(timestamp)) > _TOLERANCE:
            raise CallbackError(CallbackFault.STALE, "its time is more than 5 minutes from now")
    if not _is_signed(signatures, _bytes(f"{message_id}.{sent}.") + body, secrets):
        raise CallbackError(CallbackFault.WRONG_SIGNATURE, "webhook-signature is by none of the secrets")
    if not _same(parts["username"], username):
        raise CallbackError(CallbackFault.WRONG_SIGNATURE, "X-CALLBACK-ID has another user name")
    # While a secret is being changed there are several signatures of the body, and X-CALLBACK-ID, which has room for one and
    # covers no body, is by the newer secret: it need not be known here yet.
    if len(signatures) == 1 and not _is_callback_id_signed(parts, secrets):
        raise CallbackError(CallbackFault.WRONG_SIGNATURE, "X-CALLBACK-ID is by none of the secrets")
    return _rows(body)


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise CallbackError(CallbackFault.MISSING_HEADER, f"there is no {name}")
    return value


def _callback_id(header: str) -> dict[str, str]:
    """Returns the parts of X-CALLBACK-ID, all of which are there."""
    parts: dict[str, str] = {}
    for part in header.split(";"):
        name, equals, value = part.strip().partition("=")
        if not equals or name in parts:
            raise CallbackError(CallbackFault.MALFORMED_HEADER, "X-CALLBACK-ID has a part that is none, or is there twice")
        parts[name] = value
    for name in ("timestamp", "nonce", "username", "signature"):
        if not parts.get(name):
            raise CallbackError(CallbackFault.MALFORMED_HEADER, f"X-CALLBACK-ID has no {name}")
    return parts


def _seconds(timestamp: str) -> int:
    if not _TIMESTAMP.fullmatch(timestamp):
        raise CallbackError(CallbackFault.MALFORMED_HEADER, "a timestamp is no number of seconds")
    return int(timestamp)


def _is_signed(signatures: list[str], content: bytes, secrets: Sequence[str]) -> bool:
    """Tells whether one of the signatures is by one of the secrets. It takes as long whichever it is."""
    good = False
    for secret in secrets:
        digest = hmac.new(_key(secret), content, hashlib.sha256).digest()
        expected = "v1," + base64.b64encode(digest).decode("ascii")
        for signature in signatures:
            good |= _same(signature, expected)
    return good


def _is_callback_id_signed(parts: Mapping[str, str], secrets: Sequence[str]) -> bool:
    content = _bytes(parts["timestamp"] + parts["nonce"] + parts["username"])
    good = False
    for secret in secrets:
        good |= _same(parts["signature"].lower(), hmac.new(secret.encode(), content, hashlib.sha256).hexdigest())
    return good


def _key(secret: str) -> bytes:
    """Returns the key of Standard Webhooks: what a secret's base64 stands for, or else its bytes."""
    if secret.startswith(_KEY_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_KEY_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _bytes(text: str) -> bytes:
    return text.encode(errors="backslashreplace")  # whatever a web server made of a header, this does not fail


def _rows(body: bytes) -> list[CallbackRow]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise CallbackError(CallbackFault.MALFORMED_BODY, "the body is no JSON") from error
    rows = _member(document, "rows", _member(_member(document, "data", {}), "rows", None))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CallbackError(CallbackFault.MALFORMED_BODY, "the body has no rows")
    return [_row(row) for row in rows]


def _row(row: dict[str, Any]) -> CallbackRow:
    status, own = _member(row, "status", {}), _member(row, "susul", {})
    return CallbackRow(
        event_id=_text(own, "event_id"),
        msg_id=_text(row, "message_id"),
        registration_id=_text(row, "to"),
        status=_text(status, "message_status"),
        step=_number(own, "step"),
        variant=_text(own, "variant"),
        time=_time(_number(row, "itime")),
        sender=_text(row, "from"),
        channel=_text(row, "channel"),
        custom_args=row.get("custom_args", {}),
        error_code=_number(status, "error_code"),
        error_message=_text(_member(status, "error_detail", {}), "message"),
        loss_source=_text(_member(status, "loss", {}), "loss_source"),
        upstream_id=_text(own, "upstream_id"),
        test=_member(own, "test", False) is True,
        raw=row,
    )


def _member(document: Any, name: str, default: Any) -> Any:
    return document.get(name, default) if isinstance(document, dict) else default


def _text(document: Any, name: str) -> str:
    value = _member(document, name, "")
    return value if isinstance(value, str) else ""


def _number(document: Any, name: str) -> int:
    value = _member(document, name, 0)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _time(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, timezone.utc)
