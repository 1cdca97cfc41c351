"""The README's examples are the files that are run here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from examples import receive
from examples.send import send
from susul import SusulError, v1
from tests.fake import FakeServer, answers, fail

FOLDER = Path(__file__).parents[1]


def test_the_readme_quotes_the_examples() -> None:
    readme = FOLDER.joinpath("README.md").read_text("utf-8")
    quoted = dict(re.findall(r"<!-- (examples/\S+) -->\n```python\n(.*?)```\n", readme, re.DOTALL))
    assert set(quoted) == {f"examples/{path.name}" for path in FOLDER.glob("examples/[a-z]*.py")}
    for name, text in quoted.items():
        assert text == FOLDER.joinpath(name).read_text("utf-8"), f"README.md has another {name}"


def test_send(server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    sent = threading.Event()

    def create(request: v1.CreatePushRequest, _context: grpc.ServicerContext) -> v1.CreatePushResponse:
        sent.set()
        return v1.CreatePushResponse(push=request.push)

    def watch(request: Any, context: grpc.ServicerContext) -> Any:
        yield from answers(0)(request, context)
        assert sent.wait(10)
        msg_id = ""  # the fake gives pushes none
        for milestone in (v1.Milestone.MILESTONE_DELIVERED, v1.Milestone.MILESTONE_CLICKED):
            yield v1.WatchEventsResponse(event=v1.Event(msg_id=msg_id, milestone=milestone), resume_token="1")

    server.on("CreatePush", create)
    server.on("WatchEvents", watch)
    send(server.address, "demo", "secret", "a-device")
    assert capsys.readouterr().out == "MILESTONE_DELIVERED\nMILESTONE_CLICKED\n"
    assert server.requests["CreatePush"][0].push.audience.registration_ids.ids == ["a-device"]

    server.on("CreatePush", fail(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", fields=("push.audience",)))
    with pytest.raises(SusulError):
        send(server.address, "demo", "secret", "")
    assert capsys.readouterr().out.startswith("INVALID_REQUEST")


@pytest.mark.skipif("SUSUL_TEST_GRPC" not in os.environ, reason="no server: `make test-clients` starts one")
def test_send_for_real(capsys: pytest.CaptureFixture[str]) -> None:
    address, app, secret = (os.environ[f"SUSUL_TEST_{name}"] for name in ("GRPC", "APP", "MASTER_SECRET"))
    assert send(address, app, secret, f"py-example-{time.time_ns()}").isdecimal()
    assert capsys.readouterr().out.splitlines()[-1] == "MILESTONE_CLICKED"


def test_receive(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"message_id": "7", "to": "a-device", "status": {"message_status": "click"}, "susul": {"event_id": "12"}}
    body = json.dumps({"total": 1, "rows": [row]}).encode()
    headers = signed(body)
    assert post(body, headers) == "200 OK"
    assert post(body, headers) == "200 OK"
    assert capsys.readouterr().out == "a-device click {}\n"
    assert post(body + b" ", headers) == "401 Unauthorized"
    assert post(body, {}) == "401 Unauthorized"


def signed(body: bytes) -> dict[str, str]:
    """Returns the headers by which a body is Susul's."""
    secret, now, nonce = receive.SECRETS[0], str(int(time.time())), "123456789012345"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    of_callback = hmac.new(secret.encode(), f"{now}{nonce}{receive.USERNAME}".encode(), hashlib.sha256).hexdigest()
    of_webhook = hmac.new(key, f"msg_1.{now}.".encode() + body, hashlib.sha256).digest()
    return {
        "X-CALLBACK-ID": f"timestamp={now};nonce={nonce};username={receive.USERNAME};signature={of_callback}",
        "webhook-id": "msg_1",
        "webhook-timestamp": now,
        "webhook-signature": "v1," + base64.b64encode(of_webhook).decode(),
    }


def post(body: bytes, headers: dict[str, str]) -> str:
    """Posts to the example as a web server does, and returns the status."""
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    told = []
    receive.application(
        {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))},
        lambda status, _headers: told.append(status),
    )
    (status,) = told
    return status
