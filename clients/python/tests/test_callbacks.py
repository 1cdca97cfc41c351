from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from susul import CallbackError, CallbackRow, verify_callback
from tests.subset import is_part

VECTORS = json.loads(Path(__file__).parents[2].joinpath("callback_vectors.json").read_text("utf-8"))["vectors"]


def verify(vector: dict[str, Any]) -> list[CallbackRow]:
    return verify_callback(
        vector["headers"],
        vector["body"].encode(),
        username=vector["username"],
        secrets=vector["secrets"],
        now=vector["now"],
    )


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_vectors(vector: dict[str, Any]) -> None:
    if "error" in vector:
        with pytest.raises(CallbackError) as caught:
            verify(vector)
        assert caught.value.fault == vector["error"]
    else:
        assert is_part(vector["rows"], [row.raw for row in verify(vector)])


def test_a_row_has_all_that_is_told() -> None:
    first, second = verify(VECTORS[0])
    assert first == CallbackRow(
        event_id="9007199254740993",
        msg_id="7340001",
        registration_id="device-1",
        status="delivered",
        step=0,
        variant="",
        time=datetime(2026, 9, 21, 14, 13, 10, tzinfo=timezone.utc),
        sender="news",
        channel="FCM",
        custom_args={"kind": "news"},
        error_code=0,
        error_message="",
        loss_source="",
        upstream_id="18100512",
        test=False,
        raw=first.raw,
    )
    assert (second.error_code, second.error_message, second.loss_source) == (3007, "NotRegistered", "FCM")
    assert (second.step, second.variant, second.custom_args) == (2, "b", "a string")


@pytest.mark.parametrize("secrets", [[], [""], ["a-secret-of-the-receiver", ""]])
def test_a_secret_is_needed(secrets: list[str]) -> None:
    with pytest.raises(ValueError, match="secret"):
        verify(VECTORS[0] | {"secrets": secrets})


def test_strange_headers_are_refused_quietly() -> None:
    for name in VECTORS[0]["headers"]:
        for value in ("\udc80", "é;é=é", "=;=", "9" * 5000, "timestamp=1;nonce=2;username=\ud800;signature=é"):
            with pytest.raises(CallbackError):
                verify(VECTORS[0] | {"headers": VECTORS[0]["headers"] | {name: value}})
