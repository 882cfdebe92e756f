"""Money: decimals, one table of exchange rates, one rule of rounding."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path

from clicktrail.errors import ClicktrailError

CENT = Decimal("0.01")
REPORT_CURRENCY = "EUR"
SHIPPED_RATES = Path(__file__).with_name("rates.csv")


def to_cent(amount: Decimal) -> Decimal:
    """Commercial rounding: half a cent goes away from zero."""
    return amount.quantize(CENT, ROUND_HALF_UP)


class Rates:
    """What one unit of a currency is worth in euros on a day.

    Args:
        entries: (first day that it holds, currency, euros for one unit); it holds until the currency's next entry.
    """

    def __init__(self, entries: Iterable[tuple[date, str, Decimal]]) -> None:
        self._days: dict[str, list[date]] = defaultdict(list)
        self._rates: dict[str, list[Decimal]] = defaultdict(list)
        for day, currency, rate in sorted(entries):
            self._days[currency].append(day)
            self._rates[currency].append(rate)

    def on(self, currency: str, day: date) -> Decimal | None:
        """Euros for one unit; None where the table has none for that day."""
        if currency not in self._days:
            return None
        index = bisect_right(self._days[currency], day) - 1
        return self._rates[currency][index] if index >= 0 else None


def read_rates(path: Path = SHIPPED_RATES) -> Rates:
    """Read a table with the columns ``from_day,currency,eur``.

    Raises:
        ClicktrailError: it cannot be read; the sentence names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return Rates([_entry(path, number, row) for number, row in enumerate(csv.DictReader(file), start=2)])
    except OSError as error:
        raise ClicktrailError(f"The exchange rates {path} cannot be read: {error.strerror}") from error


def _entry(path: Path, number: int, row: dict[str, str]) -> tuple[date, str, Decimal]:
    try:
        rate = Decimal(row["eur"])
        if not (rate.is_finite() and rate > 0):
            raise ValueError("a rate must be above 0")
        return date.fromisoformat(row["from_day"]), row["currency"].strip().upper(), rate
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise ClicktrailError(
            f"Line {number} of {path} is no exchange rate; the columns are from_day,currency,eur: 2026-01-31,USD,0.92"
        ) from error
