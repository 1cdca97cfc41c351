"""How a service checks that what it was sent is Susul's. It is there to be copied, and needs nothing but Python 3.8."""

import base64
import hashlib
import hmac
import time

TOLERANCE = 300  # seconds


def verify(headers, body, secret):
    """True if the request was signed with the secret within the last five minutes: webhook-id, time and body."""
    key = base64.b64decode(secret[len("whsec_"):]) if secret.startswith("whsec_") else secret.encode()
    timestamp = headers.get("webhook-timestamp", "")
    signed = f"{headers.get('webhook-id', '')}.{timestamp}.".encode() + body
    want = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = headers.get("webhook-signature", "").split(" ")  # one by each secret that is live
    return fresh(timestamp) and any(hmac.compare_digest(want.encode(), one.encode()) for one in given)


def verify_callback_id(headers, username, secret):
    """True if X-CALLBACK-ID was made by the user with the secret within the last five minutes."""
    fields = dict(part.partition("=")[::2] for part in headers.get("X-CALLBACK-ID", "").split(";"))
    timestamp, nonce, user, given = (fields.get(name, "") for name in ("timestamp", "nonce", "username", "signature"))
    want = hmac.new(secret.encode(), (timestamp + nonce + user).encode(), hashlib.sha256).hexdigest()
    return user == username and fresh(timestamp) and hmac.compare_digest(want.encode(), given.encode())


def fresh(timestamp):
    return timestamp.isdecimal() and abs(time.time() - int(timestamp)) <= TOLERANCE
