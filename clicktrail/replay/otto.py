"""Sessions of the OTTO recommender dataset: a session a line, ``{"session": 1, "events": [{"aid", "ts", "type"}, …]}``.

A click is a Product Viewed, a cart a Product Added, an order an Order Completed (an article each, as the file has them;
articles ordered at the same moment share the ``order_id``). The visitor is the session.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from clicktrail.replay.lines import Format, Line, Replayed, Unreadable, iso, message_id, text_lines, visitor_key

_EVENTS = {"clicks": "Product Viewed", "carts": "Product Added", "orders": "Order Completed"}


def parse(line: Line, prefix: str) -> Iterator[Replayed]:
    """The events of a session."""
    try:
        session = orjson.loads(line.content)
        visitor, events = f"otto-{session['session']}", list(session["events"])
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error}") from None
    except (KeyError, TypeError):
        raise Unreadable("no session of the OTTO dataset: it needs session and events") from None
    made = [
        _event(visitor, message_id(prefix, line.number, number), event) for number, event in enumerate(events, start=1)
    ]
    yield from made


def _event(visitor: str, event_id: str, given: Any) -> Replayed:
    try:
        name, moment, article = _EVENTS[given["type"]], int(given["ts"]), str(given["aid"])
    except (KeyError, TypeError, ValueError):
        raise Unreadable(f"no event of the OTTO dataset: {str(given)[:80]}") from None
    properties: dict[str, Any] = {"product_id": article}
    if given["type"] == "carts":
        properties["quantity"] = 1
    if given["type"] == "orders":
        properties = {
            "order_id": f"{visitor}-{moment}",
            "products": [{"product_id": article, "quantity": 1}],
        } | properties
    event = {
        "type": "track",
        "event": name,
        "messageId": event_id,
        "anonymousId": visitor,
        "timestamp": iso(moment),
        "context": {"library": {"name": "clicktrail-replay"}},
        "properties": properties,
    }
    return Replayed(moment, visitor_key(event), event)


FORMAT = Format("otto", parse, text_lines)
