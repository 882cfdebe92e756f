"""Segment JSON lines: a file of raw events, one JSON object a line.

A line goes out as it is, byte for byte; only one without a ``messageId`` is given one, and shifted times are written
anew. What is an object but no sound event is sent too: the pipeline keeps it as a dead letter, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from clicktrail.replay.lines import (
    Format,
    Line,
    Replayed,
    Unreadable,
    message_id,
    text_lines,
    to_milliseconds,
    visitor_key,
)


def parse(line: Line, prefix: str) -> Iterator[Replayed]:
    """The event in a line."""
    try:
        event = orjson.loads(line.content)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error}") from None
    if not isinstance(event, dict):
        raise Unreadable(f"a JSON {type(event).__name__} instead of an object")
    original = line.content
    if not event.get("messageId"):
        event["messageId"] = message_id(prefix, line.number)
        original = None
    yield Replayed(_moment(event), visitor_key(event), event, original)


def _moment(event: dict[str, Any]) -> int | None:
    try:
        return to_milliseconds(event.get("timestamp"))
    except Unreadable:
        return None


FORMAT = Format("segment", parse, text_lines)
