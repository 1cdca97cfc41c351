from __future__ import annotations

from typing import Any

import grpc
import pytest

from susul import Susul, SusulError
from susul._connection import credentials, is_local
from tests.fake import FakeServer


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("localhost:7070", True),
        ("LOCALHOST", True),
        ("127.0.0.1:7070", True),
        ("127.8.9.10:7070", True),
        ("[::1]:7070", True),
        ("::1", True),
        ("dns:///localhost:7070", True),
        ("dns:localhost:7070", True),
        ("ipv4:127.0.0.1:7070", True),
        ("ipv6:[::1]:7070", True),
        ("unix:/run/susul.sock", True),
        ("unix-abstract:susul", True),
        ("susul.example:7070", False),
        ("localhost.example:7070", False),
        ("10.0.0.1:7070", False),
        ("[2001:db8::1]:7070", False),
        ("dns:///susul.example", False),
        ("dns://127.0.0.1/susul.example:7070", False),
        ("", False),
    ],
)
def test_only_this_machine_is_local(address: str, local: bool) -> None:
    assert is_local(address) is local
    assert (credentials(address, None) is None) is local
    assert credentials(address, True) is not None
    assert credentials(address, False) is None


def test_credentials_of_the_callers_own_are_used() -> None:
    own = grpc.ssl_channel_credentials()
    assert credentials("localhost:7070", own) is own


def test_tls_is_spoken(server: FakeServer) -> None:
    with Susul(server.address, admin_token="a-token", tls=True) as susul, pytest.raises(SusulError) as caught:
        susul.policies.get_resend_policy(name="resendPolicies/news", timeout=5)
    assert caught.value.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert not server.requests


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"app": "demo"},
        {"master_secret": "secret"},
        {"app": "demo", "admin_token": "a-token"},
        {"app": "demo", "master_secret": "secret", "admin_token": "a-token"},
    ],
)
def test_one_kind_of_credentials_is_needed(given: Any) -> None:
    with pytest.raises(ValueError, match="admin_token"):
        Susul("localhost:7070", **given)
