"""JSON read strictly: one object, no repeated key, no number that would change on the way.

orjson is fast but lenient in two places: of a repeated key it keeps the last, and an integer beyond 64 bits it turns
into a float. Both are found here without a second parse for nearly every message. Most are written without spaces, and
such an object, written again, gives the same bytes unless something was lost. Of the others the keys of the parsed
object are counted against the places where a key ends in the bytes. Only where that fails too the slow parser of the
standard library decides.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, NoReturn

import orjson

from clicktrail.events import DeadLetterReason as Reason

MAX_DEPTH = 100
"""Levels of nesting that are taken; orjson writes no more than 254."""

_INTEGERS_END = 2**63  # from here on orjson makes an unsigned integer or a float of an integer
_SPACED_COLON = re.compile(rb'"[ \t\r\n]+:')


class Rejected(Exception):
    """A record that cannot become an event: a reason for machines and a sentence for people."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read_object(value: bytes | None) -> dict[str, Any]:
    """The JSON object in ``value``.

    Raises:
        Rejected: no value, no UTF-8, no JSON, more or less than one object, repeated keys, numbers beyond 64 bits or
            nested more than MAX_DEPTH deep.
    """
    if value is None:
        raise Rejected(Reason.NULL_VALUE, "the record has no value")
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        _explain(value, error)
    if type(parsed) is not dict:
        raise Rejected(Reason.NOT_AN_OBJECT, f"the value is a JSON {_json_name(parsed)}, not an object")
    if value.count(b"{") + value.count(b"[") > MAX_DEPTH:
        _check_depth(parsed, 1)
    if not _gives_again(parsed, value):
        keys, doubtful = _survey(parsed)
        if doubtful or value.count(b'":') != keys or _has_spaced_colon(value):
            _inspect(value)
    return parsed


def _gives_again(parsed: dict[str, Any], value: bytes) -> bool:
    """Whether the object, written again, is ``value``: nothing was lost in reading it."""
    try:
        return orjson.dumps(parsed, option=orjson.OPT_STRICT_INTEGER) == value
    except orjson.JSONEncodeError:  # an integer over 53 bits
        return False


def _has_spaced_colon(value: bytes) -> bool:
    """Whether a key may end unseen by a count of ``":``. Plain searches are quicker than the pattern."""
    spaced = b'" ' in value or b'"\n' in value or b'"\t' in value or b'"\r' in value
    return spaced and _SPACED_COLON.search(value) is not None


def _check_depth(node: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Rejected(Reason.TOO_DEEP, f"nested more than {MAX_DEPTH} levels deep")
    for child in node.values() if type(node) is dict else node:
        if type(child) is dict or type(child) is list:
            _check_depth(child, depth + 1)


def _survey(parsed: dict[str, Any]) -> tuple[int, bool]:
    """Keys in the object and below, and whether a number there may be an integer beyond 64 bits."""
    keys, doubtful = 0, False
    nodes: list[Any] = [parsed]
    for node in nodes:  # grows as it is walked
        if type(node) is dict:
            keys += len(node)
            node = node.values()
        for child in node:
            kind = type(child)
            if kind is str:
                continue
            if kind is dict or kind is list:
                nodes.append(child)
            elif (kind is float or kind is int) and abs(child) >= _INTEGERS_END:
                doubtful = True
    return keys, doubtful


def _inspect(value: bytes) -> None:
    """Raise Rejected for repeated keys and for integers beyond 64 bits; otherwise the object is sound."""
    json.loads(value, object_pairs_hook=_no_repeats, parse_int=_small_int)


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise Rejected(Reason.DUPLICATE_KEYS, f"the key {repeated[:100]!r} stands twice in one object")
    return found


def _small_int(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise Rejected(Reason.NUMBER_OUT_OF_RANGE, f"the integer {text[:40]} does not fit into 64 bits")
    return int(text)


def _no_constant(text: str) -> NoReturn:
    raise Rejected(Reason.NOT_A_NUMBER, f"{text} is no JSON number")


def _explain(value: bytes, error: orjson.JSONDecodeError) -> NoReturn:
    """Say why orjson refused ``value``."""
    if not value.strip():
        raise Rejected(Reason.EMPTY_VALUE, "the record's value is empty")
    try:
        text = value.decode()
    except UnicodeDecodeError as broken:
        if broken.reason == "unexpected end of data":
            raise Rejected(Reason.TRUNCATED_JSON, f"the value ends in the middle of a character: {broken}") from None
        raise Rejected(Reason.INVALID_UTF8, f"not UTF-8 at byte {broken.start}") from None
    message = str(error)
    if "infinity" in message:
        raise Rejected(Reason.NUMBER_OUT_OF_RANGE, f"a number does not fit into a double: {message}")
    if "depth limit" in message:
        raise Rejected(Reason.TOO_DEEP, f"nested more than {MAX_DEPTH} levels deep")
    if "after document" in message:
        raise Rejected(Reason.TRAILING_DATA, f"something stands behind the first JSON value: {message}")
    if "unexpected end of data" in message:
        raise Rejected(Reason.TRUNCATED_JSON, f"the JSON ends too early: {message}")
    with suppress(ValueError, RecursionError):
        json.loads(text, parse_constant=_no_constant)
    raise Rejected(Reason.NOT_JSON, f"not JSON: {message}")


def _json_name(parsed: object) -> str:
    names = {list: "array", str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}
    return names[type(parsed)]
