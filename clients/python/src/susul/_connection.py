"""How a client reaches a server: the address, what protects the connection, and the credentials of calls."""

from __future__ import annotations

import base64
import ipaddress
from importlib.metadata import version

import grpc

# A server that is gone without a word is noticed within this time; it takes a ping each 10 s at most.
_KEEPALIVE_MS = 30_000
_KEEPALIVE_TIMEOUT_MS = 10_000

OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.primary_user_agent", f"susul-python/{version('susul')}"),
    ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
    ("grpc.http2.max_pings_without_data", 0),  # a watch may be silent for long
    ("grpc.max_receive_message_length", 64 << 20),
)


def authorization(app: str | None, master_secret: str | None, admin_token: str | None) -> str:
    """Returns the header of that name. Raises ValueError unless there is exactly one kind of credentials."""
    if admin_token is not None:
        if app is not None or master_secret is not None:
            raise ValueError("give app and master_secret, or admin_token, not both")
        return f"Bearer {admin_token}"
    if app is None or master_secret is None:
        raise ValueError("give app and master_secret, or admin_token")
    return "Basic " + base64.b64encode(f"{app}:{master_secret}".encode()).decode("ascii")


def credentials(address: str, tls: bool | grpc.ChannelCredentials | None) -> grpc.ChannelCredentials | None:
    """Returns what protects the connection, None for nothing."""
    if isinstance(tls, grpc.ChannelCredentials):
        return tls
    if tls is None:
        tls = not is_local(address)
    return grpc.ssl_channel_credentials() if tls else None


def is_local(address: str) -> bool:
    """Tells whether an address, as gRPC writes them, is of this machine."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    host = address.rpartition("/")[2]  # dns:///localhost:7070
    for scheme in ("dns:", "ipv4:", "ipv6:"):
        host = host.removeprefix(scheme)
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
