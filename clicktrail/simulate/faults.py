"""Bad messages, one kind for each reason of a dead letter: what a pipeline must survive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from clicktrail.events import DeadLetterReason as Reason
from clicktrail.simulate.clock import stamp

Message = tuple[bytes | None, bytes | None]
Event = dict[str, Any]

_LARGE_EVERY = 20
"""The kinds that take up to a megabyte come in one of so many rounds."""


def _json(event: Event) -> bytes:
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def _without(*names: str) -> Callable[[Event], bytes]:
    return lambda event: _json({name: value for name, value in event.items() if name not in names})


def _with(**changes: Any) -> Callable[[Event], bytes]:
    return lambda event: _json(event | changes)


def _replaced(old: bytes, new: bytes) -> Callable[[Event], bytes]:
    return lambda event: _json(event).replace(old, new, 1)


_KINDS: dict[Reason, Callable[[Event], bytes | None]] = {
    Reason.NULL_VALUE: lambda event: None,
    Reason.EMPTY_VALUE: lambda event: b"",
    Reason.INVALID_UTF8: _replaced(b"Kettle", b"K\xff\xfettle"),
    Reason.TRUNCATED_JSON: lambda event: _json(event)[: -len(_json(event)) // 3],
    Reason.NOT_JSON: lambda event: b"<event>" + event["messageId"].encode() + b"</event>",
    Reason.TRAILING_DATA: lambda event: _json(event) + _json(event | {"messageId": event["messageId"] + "-second"}),
    Reason.NOT_AN_OBJECT: lambda event: b"[" + _json(event) + b"]",
    Reason.DUPLICATE_KEYS: lambda event: b'{"type":"page",' + _json(event)[1:],
    Reason.TOO_DEEP: lambda event: _json(event).replace(
        b'"properties":{', b'"properties":{"deep":' + b"[" * 1000 + b"]" * 1000 + b","
    ),
    Reason.NOT_A_NUMBER: _replaced(b'"price":19.95', b'"price":NaN'),
    Reason.NUMBER_OUT_OF_RANGE: _replaced(b'"quantity":1', b'"quantity":100000000000000000000000000'),
    Reason.WRONG_CASE: lambda event: _json({name[:1].upper() + name[1:]: value for name, value in event.items()}),
    Reason.WRONG_TYPE: _replaced(b'"quantity":1', b'"quantity":"three"'),
    Reason.UNKNOWN_TYPE: _with(type="hover"),
    Reason.MISSING_MESSAGE_ID: _without("messageId"),
    Reason.MISSING_VISITOR: _without("anonymousId"),
    Reason.MISSING_TIMESTAMP: _without("timestamp"),
    Reason.EMPTY_KEY: _with(anonymousId=""),
    Reason.KEY_TOO_LONG: lambda event: _json(event | {"anonymousId": event["anonymousId"] + "x" * 66_000}),
    Reason.UNREADABLE_TIME: _with(timestamp="yesterday at noon"),
    Reason.TIME_IN_SECONDS: lambda event: _json(event | {"timestamp": event["sentAtMs"] // 1000}),
    Reason.TIME_BEFORE_2000: _with(timestamp="1999-12-31T23:59:59.999Z"),
    Reason.TIME_IN_FUTURE: _with(timestamp="2999-01-01T00:00:00.000Z"),
    # Written as JSON in JSON again, every quotation mark doubles its size.
    Reason.RECORD_TOO_LARGE: lambda event: _json(event | {"properties": {"note": '"' * 515_000}}),
}
_LARGE = {Reason.KEY_TOO_LONG, Reason.RECORD_TOO_LARGE}
KINDS: tuple[Reason, ...] = tuple(_KINDS)


def rounds() -> Iterator[Reason]:
    """The kinds in turn, without end; the large ones only now and then."""
    number = 0
    while True:
        yield from (kind for kind in KINDS if kind not in _LARGE or number % _LARGE_EVERY == 0)
        number += 1


def bad_message(kind: Reason, message_id: str, visitor: str, now: int) -> Message:
    """Make one bad message.

    Args:
        kind: the reason for which it has to be rejected.
        message_id: its ``messageId``, where it has one.
        visitor: the ``anonymousId`` that it has, or should have.
        now: its moment, ms since 1970.

    Returns:
        Kafka key and value.
    """
    event = {
        "type": "track",
        "event": "Product Added",
        "messageId": message_id,
        "anonymousId": visitor,
        "timestamp": stamp(now),
        "sentAtMs": now,
        "context": {"page": {"url": "https://shop.example/cart", "path": "/cart", "title": "Your cart"}},
        "properties": {
            "product_id": "p1001",
            "name": "Enamel Kettle",
            "price": 19.95,
            "quantity": 1,
            "currency": "EUR",
        },
    }
    value = _KINDS[kind](event)
    return _key(kind, visitor), value


def _key(kind: Reason, visitor: str) -> bytes | None:
    if kind is Reason.MISSING_VISITOR:
        return None
    if kind is Reason.EMPTY_KEY:
        return b""
    return (visitor + "x" * 66_000 if kind is Reason.KEY_TOO_LONG else visitor).encode()
