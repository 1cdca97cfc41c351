"""Susul's client: pushes with follow-ups, what became of them, and events as they happen.

`Susul` and `AsyncSusul` connect; `susul.v1` has the messages; `verify_callback` reads what Susul posts to a web server.
"""

from susul._callbacks import CallbackError, CallbackFault, CallbackRow, verify_callback
from susul._client import AsyncSusul, Susul
from susul._errors import FieldViolation, Reason, SusulError
from susul._pages import async_pages, pages
from susul._watch import AsyncEventWatch, EventWatch

__all__ = [
    "AsyncEventWatch",
    "AsyncSusul",
    "CallbackError",
    "CallbackFault",
    "CallbackRow",
    "EventWatch",
    "FieldViolation",
    "Reason",
    "Susul",
    "SusulError",
    "async_pages",
    "pages",
    "verify_callback",
]
