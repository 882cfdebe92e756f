"""The tables of the warehouse, declared once: DuckDB's and BigQuery's DDL come from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]

Rows = Mapping[str, Sequence[Row]]
"""Table to rows."""


@dataclass(frozen=True)
class Column:
    """``kind`` is text, date, timestamp, integer or money (18 digits, 4 of them decimals)."""

    name: str
    kind: str


@dataclass(frozen=True)
class TableSpec:
    """One table; every one has the column ``day``, by which it is replaced."""

    name: str
    columns: tuple[Column, ...]
    order: tuple[str, ...]
    """By which its rows are read."""


def _columns(**kinds: str) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name, kind in kinds.items())


_FIGURES = {
    "orders": "integer",
    "units": "integer",
    "gross_eur": "money",
    "units_returned": "integer",
    "returned_eur": "money",
    "net_eur": "money",
}
"""Orders with a sale; units and revenue of sales; units and worth of returns (positive); net = gross − returned."""

DIMENSIONS = ("product", "category", "channel", "country")

TABLES: tuple[TableSpec, ...] = (
    TableSpec(
        "sales_lines",
        _columns(
            day="date",
            order_id="text",
            line="text",
            kind="text",
            sold_at="timestamp",
            product_id="text",
            product_name="text",
            category="text",
            channel="text",
            country="text",
            currency="text",
            quantity="integer",
            unit_price="money",
            net_eur="money",
            source="text",
            place="text",
        ),
        ("day", "sold_at", "order_id", "line", "kind"),
    ),
    TableSpec(
        "sales_rejected",
        _columns(day="date", source="text", place="text", reason="text", detail="text", raw="text"),
        ("day", "source", "place", "reason", "raw"),
    ),
    TableSpec(
        "sales_by_day", _columns(day="date", **_FIGURES, lines_read="integer", lines_rejected="integer"), ("day",)
    ),
    TableSpec(
        "sales_by_product",
        _columns(day="date", product_id="text", product_name="text", category="text", **_FIGURES),
        ("day", "product_id"),
    ),
    *(
        TableSpec(f"sales_by_{dimension}", _columns(day="date", **{dimension: "text"}, **_FIGURES), ("day", dimension))
        for dimension in DIMENSIONS[1:]
    ),
)


def spec(name: str) -> TableSpec:
    """The table of that name."""
    return next(table for table in TABLES if table.name == name)
