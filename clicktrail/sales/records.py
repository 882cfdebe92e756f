"""What one line of a sale is: as a source gave it, clean, or rejected."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from clicktrail.sales.folders import write_atomically


class Source(StrEnum):
    """Where a line came from, in the order in which copies of one line are trusted."""

    DATABASE = "database"
    API = "api"
    FILES = "files"
    CLICKSTREAM = "clickstream"


class Reason(StrEnum):
    """Why a line was rejected. The values are stable."""

    MISSING_FIELD = "missing_field"
    TEST_ORDER = "test_order"
    UNREADABLE_TIME = "unreadable_time"
    UNREADABLE_NUMBER = "unreadable_number"
    ZERO_QUANTITY = "zero_quantity"
    IMPLAUSIBLE_QUANTITY = "implausible_quantity"
    NEGATIVE_PRICE = "negative_price"
    IMPLAUSIBLE_PRICE = "implausible_price"
    UNKNOWN_CURRENCY = "unknown_currency"
    DUPLICATE = "duplicate"


@dataclass(frozen=True)
class RawLine:
    """One line as a source gave it: texts, or None where it gave nothing; nothing is judged yet.

    Attributes:
        source: which source.
        place: where in it, for people: a row, a page and item, a file and line.
        filed_under: the day under which the source files it: counts where the time cannot be read.
        order_id: number of the order.
        line: number of the line in the order.
        kind: ``sale`` or ``return``; None: the sign of the quantity tells.
        sold_at: ISO time, with or without offset.
        time_zone: IANA name of the zone of a time without offset.
        product_id: number of the product.
        product_name: its name.
        category: its category.
        channel: web, app, marketplace, store.
        country: ISO 3166 code of the customer's country.
        currency: ISO 4217 code.
        quantity: whole number.
        unit_price: price of one, decimal point, no thousands separator.
        updated_at: when the source last changed it, as ``sold_at``.
    """

    source: str
    place: str
    filed_under: str
    order_id: str | None = None
    line: str | None = None
    kind: str | None = None
    sold_at: str | None = None
    time_zone: str = "UTC"
    product_id: str | None = None
    product_name: str | None = None
    category: str | None = None
    channel: str | None = None
    country: str | None = None
    currency: str | None = None
    quantity: str | None = None
    unit_price: str | None = None
    updated_at: str | None = None


@dataclass(frozen=True)
class SaleLine:
    """One clean line. Quantities and amounts of returns are negative; ``net_eur`` is rounded to the cent."""

    day: date
    order_id: str
    line: str
    kind: str
    sold_at: datetime
    product_id: str
    product_name: str
    category: str
    channel: str
    country: str
    currency: str
    quantity: int
    unit_price: Decimal
    net_eur: Decimal
    source: str
    place: str


@dataclass(frozen=True)
class Rejected:
    """One line that did not get in: why, in words for machines and for people, and all that the source gave."""

    day: date
    source: str
    place: str
    reason: str
    detail: str
    raw: str


def as_text(value: object) -> str | None:
    """A source's value as text that any store takes: no lone surrogates, no NUL; None stays None."""
    return None if value is None else str(value).replace("\0", "").encode("utf-8", "replace").decode()


def write_raw(path: Path, lines: Iterable[RawLine]) -> int:
    """One line a JSON object; returns how many."""
    texts = [json.dumps(asdict(line), ensure_ascii=False) + "\n" for line in lines]
    write_atomically(path, "".join(texts).encode())
    return len(texts)


def read_raw(path: Path) -> list[RawLine]:
    """What :func:`write_raw` wrote."""
    with path.open(encoding="utf-8") as file:
        return [RawLine(**json.loads(text)) for text in file]


def row(record: SaleLine | Rejected) -> dict[str, Any]:
    """The fields by name, values as they are."""
    return {spec.name: getattr(record, spec.name) for spec in fields(record)}


def text_of(line: RawLine) -> str:
    """All that the source gave, as JSON."""
    given = {name: value for name, value in asdict(line).items() if value is not None}
    return json.dumps(given, ensure_ascii=False, sort_keys=True)


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file with one JSON object a line."""
    with path.open(encoding="utf-8") as file:
        for text in file:
            yield json.loads(text)
