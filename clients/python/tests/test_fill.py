from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from google.protobuf import json_format

from susul import v1
from susul._calls import fill


def test_values_may_be_pythons_own() -> None:
    at = datetime(2026, 9, 21, 15, 33, 18, 500_000, timezone(timedelta(hours=7)))
    events = fill(v1.ListEventsRequest(), parent="apps/demo", page_size=3, start_time=at, end_time=None)
    assert json_format.MessageToDict(events) == {"parent": "apps/demo", "pageSize": 3, "startTime": "2026-09-21T08:33:18.500Z"}

    held = fill(v1.ListHeldCallbacksRequest(), reason="HOLD_REASON_UNKNOWN_MESSAGE")
    assert held.reason == v1.HoldReason.HOLD_REASON_UNKNOWN_MESSAGE
    assert fill(v1.ListHeldCallbacksRequest(), reason=v1.HoldReason.HOLD_REASON_UNKNOWN_MESSAGE) == held

    update = fill(v1.UpdateResendPolicyRequest(), resend_policy={"paused": True}, update_mask=["paused", "trigger.within"])
    assert list(update.update_mask.paths) == ["paused", "trigger.within"]
    assert fill(v1.UpdateResendPolicyRequest(), update_mask="paused,steps").update_mask.paths == ["paused", "steps"]
    rotate = fill(v1.RotateSubscriptionSecretRequest(), keep_previous=timedelta(hours=1, microseconds=2))
    assert rotate.keep_previous.ToMicroseconds() == 3_600_000_002


def test_messages_are_given_as_such_or_as_mappings() -> None:
    devices = fill(
        v1.SetDevicesRequest(),
        devices=[v1.Device(registration_id="a"), {"registration_id": "b", "timeZone": "Asia/Jakarta", "attributes": {"n": 1}}],
    )
    assert [device.registration_id for device in devices.devices] == ["a", "b"]
    assert devices.devices[1].attributes["n"] == 1
    revive = fill(v1.ReviveDevicesRequest(), registration_ids=(one for one in ("a", "b")))
    assert revive.registration_ids == ["a", "b"]
    with pytest.raises(json_format.ParseError, match="nonsense"):
        fill(v1.CreatePushRequest(), push={"nonsense": 1})


def test_a_time_needs_its_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        fill(v1.ListEventsRequest(), start_time=datetime(2026, 9, 21))


def test_an_empty_message_is_not_an_absent_one() -> None:
    assert fill(v1.UpdateResendPolicyRequest(), resend_policy={}).HasField("resend_policy")
    assert not fill(v1.UpdateResendPolicyRequest(), resend_policy=None).HasField("resend_policy")


def test_a_push_gets_a_request_id() -> None:
    mine = v1.Push(notification=v1.Notification(alert="Hello"))
    first, second = (fill(v1.CreatePushRequest(), push=mine).push for _ in range(2))
    assert first.request_id
    assert first.request_id != second.request_id
    assert not mine.request_id

    assert fill(v1.CreatePushRequest(), push={"request_id": "mine"}).push.request_id == "mine"
    assert not fill(v1.CreatePushRequest(), push={"additional": {"options": {"cid": "mine"}}}).push.request_id
    assert fill(v1.CreatePushRequest(), push={"additional": {"options": {"other": 1}}}).push.request_id
    assert not fill(v1.CreatePushRequest()).HasField("push")
    assert not fill(v1.ValidatePushRequest(), push=mine).push.request_id
