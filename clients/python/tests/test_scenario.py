"""The scenario that all clients carry out, ../../scenario.json, against a server that runs."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from susul import AsyncSusul, CallbackError, CallbackRow, Susul, SusulError, v1, verify_callback
from tests.both import Client, Watch, run
from tests.subset import is_part

PATIENCE = 30  # seconds that a step may take
SERVICES = {
    "CallbackService": "callbacks",
    "DeviceService": "devices",
    "PushService": "pushes",
    "RelayService": "relay",
    "ResendPolicyService": "policies",
}

pytestmark = pytest.mark.skipif("SUSUL_TEST_SCENARIO" not in os.environ, reason="no server: `make test-clients` starts one")


def env(name: str) -> str:
    return os.environ[f"SUSUL_TEST_{name}"]


@pytest.mark.parametrize("kind", [Susul, AsyncSusul], ids=["sync", "async"])
def test_scenario(kind: type[Susul] | type[AsyncSusul]) -> None:
    steps = json.loads(Path(env("SCENARIO")).read_text("utf-8"))["steps"]
    with receiver() as (url, rows):
        run(carry_out(kind, steps, url, rows), PATIENCE * len(steps))


async def carry_out(kind: type[Susul] | type[AsyncSusul], steps: list[dict[str, Any]], url: str, rows: Rows) -> None:
    app, secret = env("APP"), env("MASTER_SECRET")
    async with (
        Client(kind(env("GRPC"), app=app, master_secret=secret)) as own,
        Client(kind(env("GRPC"), app=app, master_secret=f"not-{secret}")) as stranger,
        Client(kind(env("GRPC"), admin_token=env("ADMIN_TOKEN"))) as admin,
    ):
        scenario = Scenario({"app": own, "stranger": stranger, "admin": admin}, url, rows)
        for step in steps:
            try:
                await asyncio.wait_for(scenario.take(step), PATIENCE)
            except Exception as error:
                raise AssertionError(f"step {step['name']!r}: {error!r}") from error


class Scenario:
    """What the steps have in common."""

    def __init__(self, clients: dict[str, Client], url: str, rows: Rows) -> None:
        self._clients = clients
        self._rows = rows
        self._watch: Watch | None = None
        self._values = {"run": f"py-{secrets.token_hex(6)}", "app": env("APP"), "callback_url": url}

    async def take(self, step: dict[str, Any]) -> None:
        """Takes one step."""
        step = self._filled(step)
        client = self._clients[step.get("as", "app")]
        if "call" in step:
            await self._call(client, step)
        elif "list" in step:
            await self._list(client, step)
        elif "watch" in step:
            self._watch = client.watch(**step["watch"])
            first = await self._watch.next()
            assert first is not None
            assert first.resume_token
            assert not first.HasField("event")
        elif "events" in step:
            await self._events(step["events"])
        elif "rows" in step:
            await asyncio.to_thread(self._rows.wait_for, step["rows"])
        else:
            raise AssertionError(f"nobody knows how to do {sorted(step)}")

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._filled(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        if isinstance(value, str):
            return re.sub(r"\$\{(\w+)\}", lambda match: self._values[match[1]], value)
        return value

    async def _call(self, client: Client, step: dict[str, Any]) -> None:
        service, method, fields = called(step["call"], step["request"])
        if "error" in step:
            with pytest.raises(SusulError) as caught:
                await client.call(service, method, **fields)
            check(step["error"], caught.value)
            return
        answer = json_format.MessageToDict(await client.call(service, method, **fields))
        assert is_part(step.get("response", {}), answer), answer
        for name, path in step.get("save", {}).items():
            found: Any = answer
            for member in path.split("."):
                found = found[member]
            assert found, f"{path} is empty"
            self._values[name] = found

    async def _list(self, client: Client, step: dict[str, Any]) -> None:
        service, method, fields = called(step["list"], step["request"])
        iterator = method.replace("list_", "iter_")
        found = [json_format.MessageToDict(item) async for item in client.iterate(service, iterator, **fields)]
        for item in step["items"]:
            assert any(is_part(item, one) for one in found), f"{item} is not in {found}"

    async def _events(self, expected: list[dict[str, Any]]) -> None:
        assert self._watch is not None
        left, seen = list(expected), []
        while left:
            answer = await self._watch.next()
            assert answer is not None, "the watch ended"
            if answer.HasField("event"):
                seen.append(json_format.MessageToDict(answer.event))
                if is_part(left[0], seen[-1]):
                    left.pop(0)
        await self._watch.close()
        assert await self._watch.next() is None


def called(path: str, request: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Returns a call as a service, a method and its arguments."""
    service, _, method = path.partition("/")
    message = json_format.ParseDict(request, getattr(v1, f"{method}Request")())
    fields = {field.name: value for field, value in message.ListFields()}
    return SERVICES[service], re.sub(r"(?<=[a-z])(?=[A-Z])", "_", method).lower(), fields


def check(expected: dict[str, Any], error: SusulError) -> None:
    assert error.code.name == expected["code"]
    assert error.reason == expected["reason"]
    assert is_part(expected.get("metadata", {}), dict(error.metadata))
    if "fields" in expected:
        assert sorted(violation.field for violation in error.field_violations) == sorted(expected["fields"])


class Rows:
    """The rows that came, and whether any was not to be believed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rows: list[CallbackRow] = []
        self._error: CallbackError | None = None

    def add(self, rows: list[CallbackRow]) -> None:
        with self._changed:
            self._rows += rows
            self._changed.notify_all()

    def fail(self, error: CallbackError) -> None:
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def wait_for(self, expected: list[dict[str, Any]]) -> None:
        """Waits until each of the expected rows came."""

        def came() -> bool:
            return all(any(is_part(row, found.raw) for found in self._rows) for row in expected)

        with self._changed:
            self._changed.wait_for(lambda: self._error is not None or came(), PATIENCE - 5)
            assert self._error is None, self._error
            assert came(), f"what came is {self._rows}"


@contextmanager
def receiver() -> Iterator[tuple[str, Rows]]:
    """Runs a web server that takes callbacks."""
    rows = Rows()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                rows.add(
                    verify_callback(dict(self.headers), body, username=env("CALLBACK_USERNAME"), secrets=[env("CALLBACK_SECRET")])
                )
                self.send_response(200)
            except CallbackError as error:
                rows.fail(error)
                self.send_response(401)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/callbacks", rows
        finally:
            server.shutdown()
            thread.join()
