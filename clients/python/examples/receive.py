"""A web application that takes what Susul posts to a push's callback_urls and to subscriptions."""

from collections.abc import Callable, Mapping
from typing import Any

from susul import CallbackError, verify_callback

USERNAME = "susul"
SECRETS = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]  # while it is being changed: the one before, too
seen: set[str] = set()  # a database, rather


def application(environ: Mapping[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> list[bytes]:
    headers = {name[len("HTTP_") :].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    try:
        rows = verify_callback(headers, body, username=USERNAME, secrets=SECRETS)
    except CallbackError as error:
        start_response("401 Unauthorized", [])
        return [str(error).encode()]
    for row in rows:
        if row.event_id not in seen:  # each comes at least once
            print(row.registration_id, row.status, row.custom_args)
            seen.add(row.event_id)
    start_response("200 OK", [])
    return []
