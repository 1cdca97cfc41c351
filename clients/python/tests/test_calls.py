from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool

from susul import AsyncSusul, Reason, SusulError, _retry, async_pages, pages, v1
from tests.both import Opened, run
from tests.fake import FakeServer, fail

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
PUSH = {"audience": {"all": True}, "notification": {"alert": "Hello"}}


def test_credentials_go_with_each_call(connect: Opened, server: FakeServer) -> None:
    server.on("GetPush", v1.GetPushResponse(push=v1.Push(msg_id="7")))

    async def test() -> None:
        async with connect() as client:
            answer = await client.call("pushes", "get_push", name="apps/demo/pushes/7")
            assert answer.push.msg_id == "7"

    run(test())
    (metadata,) = server.metadata["GetPush"]
    assert metadata["authorization"] == "Basic ZGVtbzpzZWNyZXQ="
    assert str(metadata["user-agent"]).startswith("susul-python/0.1.0 ")


def test_an_error_tells_all_that_susul_says(connect: Opened, server: FakeServer) -> None:
    server.on("GetPush", fail(grpc.StatusCode.NOT_FOUND, "NOT_FOUND", metadata={"resource": "apps/demo/pushes/7"}))
    server.on("ListPushes", fail(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", fields=("parent", "page_size")))
    server.on("CreateResendPolicy", fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry_after=2.5))

    async def test() -> None:
        async with connect() as client:
            with pytest.raises(SusulError, match=r"^NOT_FOUND: a text$") as caught:
                await client.call("pushes", "get_push")
            error = caught.value
            assert (error.code, error.reason, error.message) == (grpc.StatusCode.NOT_FOUND, Reason.NOT_FOUND, "a text")
            assert error.metadata == {"resource": "apps/demo/pushes/7"}
            assert (error.field_violations, error.retry_after) == ((), None)
            assert isinstance(error.__cause__, grpc.RpcError)

            with pytest.raises(SusulError) as caught:
                await client.call("pushes", "list_pushes")
            assert [(v.field, v.description) for v in caught.value.field_violations] == [
                ("parent", "parent is wrong"),
                ("page_size", "page_size is wrong"),
            ]
            with pytest.raises(SusulError) as caught:
                await client.call("policies", "create_resend_policy")
            assert caught.value.retry_after == 2.5

    run(test())


def test_an_error_of_others_has_no_reason(connect: Opened, server: FakeServer) -> None:
    server.on("GetPush", fail(grpc.StatusCode.INTERNAL, "QUOTA", domain="elsewhere.example"))

    def spoilt(request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG001
        context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff"),))
        context.abort(grpc.StatusCode.INTERNAL, "a text")

    server.on("ListPushes", spoilt)

    async def test() -> None:
        async with connect() as client:
            for method in ("get_push", "list_pushes"):
                with pytest.raises(SusulError, match=r"^INTERNAL: a text$") as caught:
                    await client.call("pushes", method)
                assert (caught.value.reason, caught.value.metadata) == ("", {})

    run(test())


@pytest.mark.parametrize(
    ("code", "retry_after"), [(UNAVAILABLE, None), (UNAVAILABLE, 0.001), (grpc.StatusCode.RESOURCE_EXHAUSTED, 0.001)]
)
def test_what_passes_is_repeated_with_one_request_id(
    connect: Opened, server: FakeServer, code: grpc.StatusCode, retry_after: float | None
) -> None:
    failure = fail(code, "OVERLOADED", retry_after=retry_after)
    server.on("CreatePush", failure, failure, v1.CreatePushResponse(push=v1.Push(msg_id="7")))

    async def test() -> None:
        async with connect() as client:
            answer = await client.call("pushes", "create_push", parent="apps/demo", push=PUSH)
            assert answer.push.msg_id == "7"

    run(test())
    ids = [request.push.request_id for request in server.requests["CreatePush"]]
    assert len(ids) == 3
    assert len(set(ids)) == 1
    assert ids[0]


def test_repetitions_end(connect: Opened, server: FakeServer) -> None:
    server.on("GetPush", fail(UNAVAILABLE, "STANDBY", retry_after=0.001))

    async def test() -> None:
        async with connect() as client:
            with pytest.raises(SusulError) as caught:
                await client.call("pushes", "get_push")
            assert caught.value.reason == Reason.STANDBY

    run(test())
    assert len(server.requests["GetPush"]) == 4


@pytest.mark.parametrize(
    ("rpc", "failure"),
    [
        ("CreateResendPolicy", fail(UNAVAILABLE, "STANDBY", retry_after=0.001)),
        ("DeleteResendPolicy", fail(UNAVAILABLE)),
        ("GetResendPolicy", fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")),
        ("GetResendPolicy", fail(grpc.StatusCode.INTERNAL, "INTERNAL")),
        ("GetResendPolicy", fail(UNAVAILABLE, "STANDBY", retry_after=60)),  # later than the deadline
    ],
)
def test_what_must_not_be_repeated_is_not(connect: Opened, server: FakeServer, rpc: str, failure: Any) -> None:
    server.on(rpc, failure)

    async def test() -> None:
        async with connect() as client:
            with pytest.raises(SusulError):
                await client.call("policies", rpc.replace("ResendPolicy", "_resend_policy").lower())

    run(test())
    assert len(server.requests[rpc]) == 1


def test_calls_end_in_time(connect: Opened, server: FakeServer) -> None:
    over = threading.Event()
    server.on("GetPush", lambda _request, _context: over.wait(20) and v1.GetPushResponse())

    async def test() -> None:
        async with connect(timeout=0.1) as client:
            for given in ({}, {"timeout": 0.2}):
                with pytest.raises(SusulError) as caught:
                    await client.call("pushes", "get_push", **given)
                assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "")

    try:
        run(test(), 10)
    finally:
        over.set()


def test_nobody_there(connect: Opened, server: FakeServer) -> None:
    server.stop()

    async def test() -> None:
        async with connect() as client:
            with pytest.raises(SusulError) as caught:
                await client.call("pushes", "get_push")
            assert (caught.value.code, caught.value.reason) == (UNAVAILABLE, "")

    run(test())


def test_pages(connect: Opened, server: FakeServer) -> None:
    def list_pushes(request: v1.ListPushesRequest, _context: grpc.ServicerContext) -> v1.ListPushesResponse:
        page = int(request.page_token or 0)
        token = str(page + 1) if page < 2 else ""
        return v1.ListPushesResponse(pushes=[v1.Push(msg_id=f"{page}{n}") for n in range(2)], next_page_token=token)

    server.on("ListPushes", list_pushes)

    async def test() -> None:
        async with connect() as client:
            found = [push.msg_id async for push in client.iterate("pushes", "iter_pushes", parent="apps/demo", page_size=2)]
            assert found == ["00", "01", "10", "11", "20", "21"]
            susul = client.client
            if isinstance(susul, AsyncSusul):
                counted = [len(page.pushes) async for page in async_pages(susul.pushes.list_pushes, parent="apps/demo")]
            else:
                listing = susul.pushes.list_pushes
                counted = await asyncio.to_thread(lambda: [len(page.pushes) for page in pages(listing, parent="apps/demo")])
            assert counted == [2, 2, 2]

    run(test())
    assert [(r.parent, r.page_size, r.page_token) for r in server.requests["ListPushes"][:3]] == [
        ("apps/demo", 2, ""),
        ("apps/demo", 2, "1"),
        ("apps/demo", 2, "2"),
    ]


def test_streams_to_the_server(connect: Opened, server: FakeServer) -> None:
    def import_devices(requests: Iterator[v1.ImportDevicesRequest], context: grpc.ServicerContext) -> v1.ImportDevicesResponse:
        count = sum(len(request.devices) for request in requests)
        if not count:
            fail(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")(None, context)
        return v1.ImportDevicesResponse(device_count=count)

    server.on("ImportDevices", import_devices)
    requests = [v1.ImportDevicesRequest(parent="apps/demo", devices=[v1.Device(registration_id=f"r{n}")]) for n in range(5)]

    async def test() -> None:
        async with connect() as client:
            assert (await client.call("devices", "import_devices", requests)).device_count == 5
            with pytest.raises(SusulError, match="INVALID_REQUEST"):
                await client.call("devices", "import_devices", [])

    run(test())


def test_streams_from_the_server(connect: Opened, server: FakeServer) -> None:
    def watch(_request: Any, context: grpc.ServicerContext) -> Iterator[v1.WatchResendPoliciesResponse]:
        yield v1.WatchResendPoliciesResponse(in_sync=True, revision=7)
        fail(UNAVAILABLE, "STANDBY")(None, context)

    server.on("WatchResendPolicies", watch)

    async def test() -> None:
        async with connect() as client:
            changes = client.iterate("policies", "watch_resend_policies")
            assert (await anext(changes)).revision == 7
            with pytest.raises(SusulError, match="STANDBY"):
                await anext(changes)

    run(test())


def test_the_repeatable_methods_exist() -> None:
    services = ("CallbackService", "DeviceService", "PushService", "RelayService", "ResendPolicyService")
    names = {m.name for s in services for m in descriptor_pool.Default().FindServiceByName(f"susul.v1.{s}").methods}
    assert names >= _retry._REPEATABLE
