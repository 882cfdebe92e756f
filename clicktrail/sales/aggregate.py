"""Sums of a clean day: by day, product, category, channel and country."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from clicktrail.sales.records import SaleLine, row
from clicktrail.sales.rules import CleanDay
from clicktrail.sales.tables import DIMENSIONS, Row

_ZERO = Decimal("0.00")


def tables_of(day: date, result: CleanDay, lines_read: int) -> dict[str, list[Row]]:
    """All rows of the warehouse for one day.

    Args:
        day: the day.
        result: its clean lines and what was rejected.
        lines_read: lines of this day that the sources gave.
    """
    sold = result.sold
    whole = {"day": day, **figures(sold), "lines_read": lines_read, "lines_rejected": len(result.rejected)}
    tables: dict[str, list[Row]] = {
        "sales_lines": [row(line) for line in sold],
        "sales_rejected": [row(line) for line in result.rejected],
        "sales_by_day": [whole],
        "sales_by_product": _by_product(day, sold),
    }
    for dimension in DIMENSIONS[1:]:
        groups = _groups(sold, lambda line, name=dimension: getattr(line, name))  # type: ignore[misc]
        tables[f"sales_by_{dimension}"] = [{"day": day, dimension: key, **figures(group)} for key, group in groups]
    return tables


def figures(lines: Sequence[SaleLine]) -> dict[str, Any]:
    """Orders, units and euros of some lines; returns are positive there, and taken off in ``net_eur``."""
    sales = [line for line in lines if line.kind == "sale"]
    returns = [line for line in lines if line.kind == "return"]
    gross = sum((line.net_eur for line in sales), _ZERO)
    returned = -sum((line.net_eur for line in returns), _ZERO)
    return {
        "orders": len({line.order_id for line in sales}),
        "units": sum(line.quantity for line in sales),
        "gross_eur": gross,
        "units_returned": -sum(line.quantity for line in returns),
        "returned_eur": returned + _ZERO,  # no minus in front of nothing
        "net_eur": gross - returned,
    }


def _by_product(day: date, sold: Sequence[SaleLine]) -> list[Row]:
    """One row a product; where lines name one that the catalogue lacks differently, the first name counts."""
    return [
        {
            "day": day,
            "product_id": product,
            "product_name": group[0].product_name,
            "category": group[0].category,
            **figures(group),
        }
        for product, group in _groups(sold, lambda line: line.product_id)
    ]


def _groups(lines: Iterable[SaleLine], key: Callable[[SaleLine], str]) -> list[tuple[str, list[SaleLine]]]:
    groups: dict[str, list[SaleLine]] = defaultdict(list)
    for line in lines:
        groups[key(line)].append(line)
    return sorted(groups.items())
