"""Takes events from Susul: checks who posts them, passes over those that it has had already, and prints the others.

    RECEIVER_SECRET=… python3 examples/receiver/receiver.py 8080

It needs nothing but Python 3.8.
"""

import base64
import collections
import hashlib
import hmac
import http.server
import json
import os
import sys
import time

TOLERANCE = 300  # seconds
MAX_BODY = 8 << 20  # bytes


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
    return timestamp.isdigit() and abs(time.time() - int(timestamp)) <= TOLERANCE


class Receiver(http.server.BaseHTTPRequestHandler):
    seen = collections.OrderedDict()  # the latest event ids; a service that must not forget has them in its database

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        if size > MAX_BODY:
            return self.send_error(413)
        body = self.rfile.read(size)
        if not (verify(self.headers, body, SECRET) and verify_callback_id(self.headers, USERNAME, SECRET)):
            return self.send_error(401)
        for event in json.loads(body)["rows"]:
            event_id = event["susul"]["event_id"]
            if event["susul"].get("test") or event_id in self.seen:
                continue
            print(event_id, event["message_id"], event["to"], event["status"]["message_status"], flush=True)
            self.seen[event_id] = True
        while len(self.seen) > 100_000:
            self.seen.popitem(last=False)
        self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    SECRET, USERNAME = os.environ["RECEIVER_SECRET"], os.environ.get("RECEIVER_USERNAME", "susul")
    if not SECRET:
        sys.exit("set RECEIVER_SECRET: without it, anybody could sign")
    server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print("listening on %s:%d" % server.server_address, file=sys.stderr, flush=True)
    server.serve_forever()
