"""The clients: a connection, and the services that it leads to."""

from __future__ import annotations

import weakref
from types import TracebackType
from typing import overload

import grpc
import grpc.aio

from susul._calls import AsyncCaller, Caller
from susul._connection import OPTIONS, authorization, credentials
from susul._watch import AsyncEventWatch, EventWatch
from susul.v1 import WatchEventsRequest
from susul.v1.async_services import (
    AsyncCallbackService,
    AsyncDeviceService,
    AsyncPushService,
    AsyncRelayService,
    AsyncResendPolicyService,
)
from susul.v1.services import CallbackService, DeviceService, PushService, RelayService, ResendPolicyService

_TIMEOUT = 30.0


class Susul:
    """A connection to a Susul server. Its methods block; threads may share it.

    Args:
        address: `host:port`, or what else gRPC takes as a target.
        app: An app's key. With it only this app is seen.
        master_secret: The app's master secret.
        admin_token: An administrator's token, instead of app and master_secret.
        tls: How the connection is protected: True by TLS, False not at all, or by credentials as gRPC makes them. Default: by
            TLS, unless the address is of this machine.
        timeout: The seconds that a call may take, its repetitions included, unless the call says otherwise. Streams may take as
            long as they do.
    """

    pushes: PushService
    callbacks: CallbackService
    policies: ResendPolicyService
    devices: DeviceService
    relay: RelayService

    @overload
    def __init__(
        self,
        address: str,
        *,
        app: str,
        master_secret: str,
        tls: bool | grpc.ChannelCredentials | None = None,
        timeout: float = _TIMEOUT,
    ) -> None: ...

    @overload
    def __init__(
        self,
        address: str,
        *,
        admin_token: str,
        tls: bool | grpc.ChannelCredentials | None = None,
        timeout: float = _TIMEOUT,
    ) -> None: ...

    def __init__(
        self,
        address: str,
        *,
        app: str | None = None,
        master_secret: str | None = None,
        admin_token: str | None = None,
        tls: bool | grpc.ChannelCredentials | None = None,
        timeout: float = _TIMEOUT,
    ) -> None:
        header = authorization(app, master_secret, admin_token)
        protection = credentials(address, tls)
        if protection is None:
            self._channel = grpc.insecure_channel(address, options=OPTIONS)
        else:
            self._channel = grpc.secure_channel(address, protection, options=OPTIONS)
        self._caller = Caller(self._channel, header, timeout)
        self._watches: weakref.WeakSet[EventWatch] = weakref.WeakSet()
        self.pushes = PushService(self._caller)
        self.callbacks = CallbackService(self._caller)
        self.policies = ResendPolicyService(self._caller)
        self.devices = DeviceService(self._caller)
        self.relay = RelayService(self._caller)

    def watch_events(self, parent: str, *, msg_id: str = "", filter: str = "", resume_token: str = "") -> EventWatch:
        """Yields an app's events as they are stored, through reconnections and changes of server, until it is closed.

        Each answer has a `resume_token`, and an `event` if there was one to tell: the first answer, which comes at once, has
        none. Who stores the token of the last answer that was dealt with, and begins with it later, misses nothing and gets
        nothing twice.

        Args:
            parent: The app: `apps/{app_key}`.
            msg_id: Only events of this push.
            filter: Only events for which this CEL expression is true.
            resume_token: Where to go on; empty: events from now on.

        Raises:
            SusulError: Where no repetition helps, for example NOT_FOUND or UNAUTHENTICATED.
        """
        request = WatchEventsRequest(parent=parent, msg_id=msg_id, filter=filter, resume_token=resume_token)
        watch = EventWatch(self._caller, request)
        self._watches.add(watch)
        return watch

    def close(self) -> None:
        """Ends watches and whatever else is under way, and the connection."""
        for watch in list(self._watches):
            watch.close()
        self._channel.close()

    def __enter__(self) -> Susul:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class AsyncSusul:
    """A connection to a Susul server, for asyncio; made and used in one event loop.

    The arguments are those of `Susul`.
    """

    pushes: AsyncPushService
    callbacks: AsyncCallbackService
    policies: AsyncResendPolicyService
    devices: AsyncDeviceService
    relay: AsyncRelayService

    @overload
    def __init__(
        self,
        address: str,
        *,
        app: str,
        master_secret: str,
        tls: bool | grpc.ChannelCredentials | None = None,
        timeout: float = _TIMEOUT,
    ) -> None: ...

    @overload
    def __init__(
        self,
        address: str,
        *,
        admin_token: str,
        tls: bool | grpc.ChannelCredentials | None = None,
        timeout: float = _TIMEOUT,
    ) -> None: ...

    def __init__(
        self,
        address: str,
        *,
        app: str | None = None,
        master_secret: str | None = None,
        admin_token: str | None = None,
        tls: bool | grpc.ChannelCredentials | None = None,
        timeout: float = _TIMEOUT,
    ) -> None:
        header = authorization(app, master_secret, admin_token)
        protection = credentials(address, tls)
        if protection is None:
            self._channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(address, protection, options=OPTIONS)
        self._caller = AsyncCaller(self._channel, header, timeout)
        self._watches: weakref.WeakSet[AsyncEventWatch] = weakref.WeakSet()
        self.pushes = AsyncPushService(self._caller)
        self.callbacks = AsyncCallbackService(self._caller)
        self.policies = AsyncResendPolicyService(self._caller)
        self.devices = AsyncDeviceService(self._caller)
        self.relay = AsyncRelayService(self._caller)

    def watch_events(self, parent: str, *, msg_id: str = "", filter: str = "", resume_token: str = "") -> AsyncEventWatch:
        """Does what `Susul.watch_events` does, for `async for`."""
        request = WatchEventsRequest(parent=parent, msg_id=msg_id, filter=filter, resume_token=resume_token)
        watch = AsyncEventWatch(self._caller, request)
        self._watches.add(watch)
        return watch

    async def close(self) -> None:
        """Ends watches and whatever else is under way, and the connection."""
        for watch in list(self._watches):
            await watch.aclose()
        await self._channel.close()

    async def __aenter__(self) -> AsyncSusul:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
