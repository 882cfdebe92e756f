"""The numbers of a day's report, read from the warehouse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from clicktrail.errors import ClicktrailError
from clicktrail.sales.money import to_cent
from clicktrail.sales.records import Reason
from clicktrail.sales.warehouse import Warehouse

TREND_DAYS = 28
TOP = 10


@dataclass(frozen=True)
class Figures:
    """What was sold, of a day or of a part of it; euros to the cent, returns positive."""

    orders: int
    units: int
    gross: Decimal
    units_returned: int
    returned: Decimal
    net: Decimal

    @property
    def per_order(self) -> Decimal | None:
        """Revenue of sales by order."""
        return to_cent(self.gross / self.orders) if self.orders else None

    @property
    def return_share(self) -> Decimal | None:
        """Worth of returns by revenue of sales, in per cent."""
        return self.returned / self.gross * 100 if self.gross else None


@dataclass(frozen=True)
class Part:
    """One product, category, channel or country; ``before`` is its net revenue of the same weekday a week ago."""

    name: str
    figures: Figures
    before: Decimal | None


@dataclass(frozen=True)
class Report:
    """All that the report shows. ``None`` stands for a day that the warehouse does not have."""

    day: date
    today: Figures
    yesterday: Figures | None
    week_ago: Figures | None
    trend: list[tuple[date, Decimal | None]]
    products: list[Part]
    categories: list[Part]
    channels: list[Part]
    countries: list[Part]
    returned: list[Part]
    lines_read: int
    lines_rejected: int
    rejected_by_reason: list[tuple[str, int]]
    rejected_by_source: list[tuple[str, int]]


def read_report(warehouse: Warehouse, day: date) -> Report:
    """Read a day's report.

    Raises:
        ClicktrailError: the warehouse has nothing of the day.
    """
    days = [day - timedelta(days=back) for back in range(TREND_DAYS - 1, -1, -1)]
    rows = {row["day"]: row for row in warehouse.read("sales_by_day", days)}
    if day not in rows:
        raise ClicktrailError(f"The warehouse has no sales of {day}. Run daily_sales_pipeline for that day first.")
    yesterday, week_ago = (rows.get(day - timedelta(days=back)) for back in (1, 7))
    products = _parts(warehouse, "product", "product_name", day)
    rejected = warehouse.read("sales_rejected", [day])
    return Report(
        day=day,
        today=figures(rows[day]),
        yesterday=figures(yesterday) if yesterday else None,
        week_ago=figures(week_ago) if week_ago else None,
        trend=[(each, to_cent(rows[each]["net_eur"]) if each in rows else None) for each in days],
        products=products[:TOP],
        categories=_parts(warehouse, "category", "category", day),
        channels=_parts(warehouse, "channel", "channel", day),
        countries=_parts(warehouse, "country", "country", day),
        returned=sorted(
            (part for part in products if part.figures.returned), key=lambda part: (-part.figures.returned, part.name)
        ),
        lines_read=rows[day]["lines_read"],
        lines_rejected=rows[day]["lines_rejected"],
        rejected_by_reason=_counted(row["reason"] for row in rejected),
        rejected_by_source=_counted(row["source"] for row in rejected),
    )


def figures(row: Mapping[str, Any]) -> Figures:
    """The figures of one row of the warehouse."""
    return Figures(
        row["orders"],
        row["units"],
        to_cent(row["gross_eur"]),
        row["units_returned"],
        to_cent(row["returned_eur"]),
        to_cent(row["net_eur"]),
    )


def change(now: Decimal | int | None, before: Decimal | int | None) -> Decimal | None:
    """By how many per cent it changed; None where there is nothing to compare with."""
    if now is None or before is None or before <= 0:
        return None
    return (Decimal(now) / Decimal(before) - 1) * 100


def at_most(parts: list[Part], most: int) -> list[Part]:
    """The parts; of more than ``most`` the last one stands for all the others, so that sums agree."""
    if len(parts) <= most:
        return parts
    others = [part.figures for part in parts[most - 1 :]]
    summed = {name: sum(getattr(each, name) for each in others) for name in Figures.__dataclass_fields__}
    return [*parts[: most - 1], Part(f"{len(others)} others", Figures(**summed), None)]


def copies(report: Report) -> str:
    """How many of the rejected lines are no loss, because they only repeat one that counts; empty where none does."""
    count = dict(report.rejected_by_reason).get(Reason.DUPLICATE.value)
    return f" ({count:,} only repeat a line that counts)" if count else ""


def _parts(warehouse: Warehouse, dimension: str, name: str, day: date) -> list[Part]:
    """The parts of the day, those with the most net revenue first."""
    week_ago = day - timedelta(days=7)
    key = "product_id" if dimension == "product" else dimension
    rows = warehouse.read(f"sales_by_{dimension}", [day, week_ago])
    before = {row[key]: to_cent(row["net_eur"]) for row in rows if row["day"] == week_ago}
    parts = [Part(row[name], figures(row), before.get(row[key])) for row in rows if row["day"] == day]
    return sorted(parts, key=lambda part: (-part.figures.net, part.name))


def _counted(values: Any) -> list[tuple[str, int]]:
    return sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
