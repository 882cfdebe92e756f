"""Values of a raw event, checked: each function gives what is asked for, or says why the record is rejected."""

from __future__ import annotations

from typing import Any

from clicktrail.events import DeadLetterReason as Reason
from clicktrail.job.strict_json import Rejected

MAX_KEY_BYTES = 65_535
"""Cassandra's limit of a key."""
SHORT_KEY = 16_000
"""Characters that fit into a key whatever they are."""
_KEY_OVERHEAD = 64
"""Bytes that the other parts of a composite key and its framing take."""
_INT32 = 2**31


def text(raw: dict[str, Any], name: str, where: str) -> str | None:
    """A text, ``None`` where it is empty or missing; ``where`` names the objects around ``raw``."""
    value = raw.get(name)
    if type(value) is str:
        return value or None
    if value is None:
        return None
    raise Rejected(Reason.WRONG_TYPE, f"{where}{name} must be a text, not {type(value).__name__}")


def an_object(raw: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    """An object, empty where it is missing."""
    value = raw.get(name)
    if value is None:
        return {}
    if type(value) is not dict:
        raise Rejected(Reason.WRONG_TYPE, f"{where}{name} must be an object, not {type(value).__name__}")
    return value


def identifier(raw: dict[str, Any], name: str, where: str) -> str | None:
    """A text, or a whole number as one."""
    value = raw.get(name)
    return str(value) if type(value) is int else text(raw, name, where)


def number(raw: dict[str, Any], name: str, where: str) -> float | None:
    """A number."""
    value = raw.get(name)
    if value is None or type(value) is float:
        return value
    if type(value) is not int:
        raise Rejected(Reason.WRONG_TYPE, f"{where}{name} must be a number, not {type(value).__name__}")
    return float(value)


def whole_number(raw: dict[str, Any], name: str, where: str) -> int | None:
    """A whole number of 32 bits."""
    value = number(raw, name, where)
    if value is None:
        return None
    if value != value // 1:
        raise Rejected(Reason.WRONG_TYPE, f"{where}{name} must be a whole number, not {value}")
    if not -_INT32 <= value < _INT32:
        raise Rejected(Reason.NUMBER_OUT_OF_RANGE, f"{where}{name} {value:.6g} does not fit into 32 bits")
    return int(value)


def key(raw: dict[str, Any], name: str, missing: Reason) -> str:
    """A text that can be part of a key; ``missing`` is the reason where there is none."""
    value = raw.get(name)
    if value is None:
        raise Rejected(missing, f"{name} is missing")
    if type(value) is not str:
        raise Rejected(Reason.WRONG_TYPE, f"{name} must be a text, not {type(value).__name__}")
    if not value:
        raise Rejected(Reason.EMPTY_KEY, f"{name} is empty")
    key_length(name, value)
    return value


def key_length(name: str, *parts: str) -> None:
    """Reject a key that Cassandra does not take."""
    if sum(map(len, parts)) > SHORT_KEY and sum(len(part.encode()) for part in parts) > MAX_KEY_BYTES - _KEY_OVERHEAD:
        raise Rejected(Reason.KEY_TOO_LONG, f"{name} is longer than {MAX_KEY_BYTES - _KEY_OVERHEAD} bytes")


def case(raw: dict[str, Any], known: frozenset[str], where: str) -> None:
    """A key that differs from a known one by case alone is a mistake, and would be lost in silence."""
    if known.issuperset(raw):
        return
    lower = {name.lower(): name for name in known}
    for given in raw:
        meant = None if given in known else lower.get(given.lower())
        if meant is not None and meant not in raw:
            raise Rejected(Reason.WRONG_CASE, f"the key {where}{given} must be written {where}{meant}")
