"""How what is expected is compared with what was found: as a part of it."""

from __future__ import annotations

from typing import Any


def is_part(expected: Any, found: Any) -> bool:
    """Tells whether each member that is expected was found, lists item by item, numbers by their value."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(name in found and is_part(value, found[name]) for name, value in expected.items())
    if isinstance(expected, list):
        return isinstance(found, list) and len(expected) == len(found) and all(map(is_part, expected, found))
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    return bool(expected == found)
