"""Cells of events are what the driver's own types make of the same values."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from clicktrail.events import FIELD_NAMES, FIELDS
from clicktrail.job import cells, decode
from clicktrail.job.decode import Event
from tests.raw import LIMIT, NOW
from tests.samples import LONGEST_KEY, TEXTS, value, weird
from tests.tables import DRIVERS, unpacked

KINDS = tuple(field.kind for field in FIELDS)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def drivers(kind: str, value: Any) -> bytes:
    """The cell as the driver would write it."""
    if value is None:
        return b"\xff\xff\xff\xfe"
    if kind == "timestamp":
        value = EPOCH + timedelta(milliseconds=value)
    if kind == "date":
        value = date(1970, 1, 1) + timedelta(days=value)
    encoded: bytes = DRIVERS[kind].serialize(value, 5)
    return len(encoded).to_bytes(4, "big", signed=True) + encoded


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "Zürich 🚲"),
        ("text", ""),
        ("text", "x" * 70_000),
        ("timestamp", 1_714_557_630_123),
        ("timestamp", 0),
        ("timestamp", -1),
        ("date", 19_844),
        ("date", 0),
        ("date", -1),
        ("boolean", True),
        ("boolean", False),
        ("int", -(2**31)),
        ("int", 2**31 - 1),
        ("bigint", -(2**63)),
        ("bigint", 2**63 - 1),
        ("double", 19.99),
        ("double", -0.0),
        ("double", 3),
        ("text", None),
        ("int", None),
    ],
)
def test_a_cell_is_the_drivers(kind: str, value: Any) -> None:
    assert cells.encode((kind,), (value,)) == drivers(kind, value)


def test_each_kind_of_field_can_be_encoded() -> None:
    assert set(KINDS) == set(DRIVERS)


def test_kinds_and_values_must_match() -> None:
    with pytest.raises(ValueError, match="zip"):
        cells.encode(("text",), ("a", "b"))


def taken(raw: bytes, offset: int = 17) -> Event:
    outcome = decode.event(raw, b"k", NOW, "clicks", 3, offset, LIMIT)
    assert isinstance(outcome, Event), outcome
    return outcome


@pytest.mark.parametrize(
    "raw",
    [
        value(),
        value(userId="a-1"),  # the same as anonymousId
        value(userId=..., sentAt=...),
        value(anonymousId=..., event="x" * 99),
        value(event="x" * 100, previousId="p"),
        value(event="é" * 5_000, type="alias", previousId="ü"),
        value(userId="u" * LONGEST_KEY, messageId="m" * LONGEST_KEY),
        value(context=..., properties=...),
        *map(weird, TEXTS),
    ],
    ids=lambda raw: raw[:0].decode(),
)
def test_the_row_of_an_event_is_what_the_driver_would_send(raw: bytes) -> None:
    outcome = decode.decode(raw, b"k", NOW, "clicks", 3, 17)
    assert outcome.fields is not None
    expected = [drivers(kind, outcome.fields[name]) for kind, name in zip(KINDS, FIELD_NAMES, strict=True)]
    row = decode.event_cells(taken(raw), "clicks", 3, 17, NOW * 1_000 + 17)
    assert row == b"".join(expected) + drivers("bigint", NOW * 1_000 + 17)
    assert list(cells.split(row)) == [*expected, drivers("bigint", NOW * 1_000 + 17)]


def test_head_is_what_encode_makes_of_it() -> None:
    head = taken(value()).head
    assert cells.head(head) == cells.encode(KINDS[: len(head)], head)
    assert FIELD_NAMES[len(head) - 1] == "sent_at"


def test_tail_is_the_offset_and_the_write_time() -> None:
    assert cells.tail(2**40, 2**60) == cells.encode(("bigint", "bigint"), (2**40, 2**60))


def test_erasing_sets_what_is_unset_to_null_and_leaves_the_rest() -> None:
    row = cells.encode(("text", "text", "text", "double"), ("", None, "\xff", None))
    erased = list(cells.split(cells.erasing(cells.split(row))))
    assert erased == [b"\0\0\0\0", cells.NULL, b"\0\0\0\2\xc3\xbf", cells.NULL]
    assert [unpacked(kind, cell) for kind, cell in zip(("text",) * 3 + ("double",), erased, strict=True)] == [
        *("", None, "ÿ", None),
    ]


def test_split_of_nothing_is_nothing() -> None:
    assert list(cells.split(b"")) == []
