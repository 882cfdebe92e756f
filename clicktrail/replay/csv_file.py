"""CSV with a header, and a mapping of its columns to the fields of an event.

``user_id=visitor`` reads the visitor from the column ``visitor``. A column of a field's own name needs no mapping, and
what is mapped to nothing becomes a property of its own name. A row is a ``track`` event where it has an ``event``,
else a ``page``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from clicktrail.errors import ClicktrailError
from clicktrail.replay.lines import Format, Line, Replayed, Unreadable, iso, message_id, to_milliseconds, visitor_key

FIELDS: dict[str, tuple[str, ...]] = {
    "user_id": ("userId",),
    "anonymous_id": ("anonymousId",),
    "message_id": ("messageId",),
    "timestamp": ("timestamp",),
    "type": ("type",),
    "event": ("event",),
    "name": ("name",),
    "url": ("context", "page", "url"),
    "path": ("context", "page", "path"),
    "search": ("context", "page", "search"),
    "referrer": ("context", "page", "referrer"),
    "title": ("context", "page", "title"),
    "user_agent": ("context", "userAgent"),
    "ip": ("context", "ip"),
    "locale": ("context", "locale"),
    "campaign_source": ("context", "campaign", "source"),
    "campaign_medium": ("context", "campaign", "medium"),
    "campaign_name": ("context", "campaign", "name"),
    "campaign_term": ("context", "campaign", "term"),
    "campaign_content": ("context", "campaign", "content"),
}
"""What a column can be mapped to, and where it stands in the event; beside them ``properties.<name>``."""

_NUMBERS = frozenset({"price", "quantity", "revenue", "total", "value", "shipping", "tax", "discount"})
_DELIMITERS = (",", ";", "\t", "|")


def parse_mapping(pairs: Iterable[str]) -> dict[str, str]:
    """``field=column`` pairs as column to field.

    Raises:
        ClicktrailError: a pair that is none, or a field that does not exist.
    """
    mapping: dict[str, str] = {}
    for pair in pairs:
        field, mark, column = pair.partition("=")
        if not mark or not column:
            raise ClicktrailError(f"{pair!r} is no mapping; write field=column, such as user_id=visitor")
        if field not in FIELDS and not field.startswith("properties."):
            raise ClicktrailError(f"{field!r} is no field; there are {', '.join(FIELDS)} and properties.<name>")
        mapping[column] = field
    return mapping


def csv_format(mapping: Mapping[str, str] | None = None) -> Format:
    """The format for files with these columns; ``mapping`` is column to field."""
    given = dict(mapping or {})

    def records(file: IO[bytes]) -> Iterator[Line]:
        return _rows(file, given)

    return Format("csv", _parse, records)


def _rows(file: IO[bytes], mapping: Mapping[str, str]) -> Iterator[Line]:
    """The rows behind the header, each with the line that it ends on and as pairs of field and value."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="backslashreplace", newline="")
    try:
        first = text.readline()
        delimiter = max(_DELIMITERS, key=first.count)
        header = next(csv.reader([first], delimiter=delimiter), [])
        if missing := [column for column in mapping if column not in header]:
            raise ClicktrailError(f"The file has no column {', '.join(missing)}; its columns are {', '.join(header)}")
        fields = [mapping.get(column) or _own_name(column) for column in header]
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Line(rows.line_num + 1, Unreadable(f"not CSV: {error}"))
                continue
            if row:
                yield Line(rows.line_num + 1, (fields, row))
    finally:
        text.detach()


def _own_name(column: str) -> str:
    return column if column in FIELDS else f"properties.{column}"


def _parse(line: Line, prefix: str) -> Iterator[Replayed]:
    if isinstance(line.content, Unreadable):
        raise line.content
    fields, row = line.content
    if len(row) != len(fields):
        raise Unreadable(f"{len(row)} columns instead of the {len(fields)} of the header")
    given = {field: value for field, value in zip(fields, row, strict=True) if value != ""}
    event: dict[str, Any] = {
        "type": "track" if given.get("event") else "page",
        "messageId": message_id(prefix, line.number),
    }
    for field, value in given.items():
        _put(event, field, value)
    moment = to_milliseconds(given["timestamp"]) if "timestamp" in given else None
    if moment is None:
        raise Unreadable("no timestamp; map its column with timestamp=<column>")
    event["timestamp"] = iso(moment)
    if visitor_key(event) is None:
        raise Unreadable("no visitor; map its column with user_id=<column> or anonymous_id=<column>")
    yield Replayed(moment, visitor_key(event), event)


def _put(event: dict[str, Any], field: str, value: str) -> None:
    if field.startswith("properties."):
        name = field.removeprefix("properties.")
        event.setdefault("properties", {})[name] = _number(value) if name in _NUMBERS else value
        return
    *parents, name = FIELDS[field]
    for parent in parents:
        event = event.setdefault(parent, {})
    event[name] = value


def _number(value: str) -> int | float | str:
    """The number that the spec wants there; what is none stays text, and the pipeline rejects it with the reason."""
    try:
        number = float(value)
    except ValueError:
        return value
    if number != number or abs(number) == float("inf"):
        return value
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
