"""The rules by which raw lines become a clean day. Every line leaves as sold, rejected, or as one of another day.

1. Order, line, product, quantity, price and currency must be given (``missing_field``).
2. An order whose number begins with ``TEST`` is the shop's own test (``test_order``).
3. Times must be readable (``unreadable_time``). One without offset is in its source's zone; of an hour that the clocks
   repeat, the first is meant. A line whose time is missing or unreadable is rejected on the day it was filed under.
4. A line is of the UTC day of its time. Sources are read with a margin: lines of other days are left to their own runs.
5. Quantity and price must be numbers, the quantity a whole one (``unreadable_number``), not 0 (``zero_quantity``), at
   most 10,000 (``implausible_quantity``); a price is not negative (``negative_price``) and at most 1,000,000 with at
   most 4 decimals (``implausible_price``).
6. A return is a line of kind ``return`` or one with a negative quantity. Its amount is negative, on the day it came
   back.
7. The currency must be in the table of exchange rates (``unknown_currency``). A line's amount is quantity by price,
   converted and rounded to the cent, half up; every total is a sum of such lines, so that all views agree.
8. One line of one order is one sale and at most one return. Of copies, within a source or between sources, the one
   changed last counts (a copy without ``updated_at`` was last changed when it was sold); of equally new ones, database
   before API before files before clickstream, then the first read. The others are rejected (``duplicate``).
9. Product names and categories are those of the shop's catalogue; else what the line says; else ``unknown``. A channel
   or country that is missing is ``unknown``: it costs no revenue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from clicktrail.sales.money import Rates, to_cent
from clicktrail.sales.records import RawLine, Reason, Rejected, SaleLine, Source, text_of

UNKNOWN = "unknown"
MOST_QUANTITY = 10_000
HIGHEST_PRICE = Decimal(1_000_000)
_REQUIRED = ("order_id", "line", "product_id", "quantity", "unit_price", "currency")
_TRUST = {source.value: rank for rank, source in enumerate(Source)}

Catalogue = Mapping[str, tuple[str, str]]
"""Product to (name, category)."""


@dataclass(frozen=True)
class CleanDay:
    """What became of all lines that were read: ``read`` = sold + rejected + ``other_days``."""

    sold: list[SaleLine]
    rejected: list[Rejected]
    other_days: int


class _Broken(Exception):
    """A line breaks a rule."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class _Candidate:
    """A line that is good by itself; only another copy of it can still displace it."""

    sale: SaleLine
    raw: RawLine
    changed: datetime
    number: int

    @property
    def rank(self) -> tuple[float, int, int]:
        """The smallest rank counts."""
        return (-self.changed.timestamp(), _TRUST[self.raw.source], self.number)


def clean(day: date, lines: Iterable[RawLine], catalogue: Catalogue, rates: Rates) -> CleanDay:
    """Apply the rules to all that was read for a day.

    Args:
        day: the UTC day.
        lines: in the order of reading; lines of neighbouring days may be among them.
        catalogue: names and categories of the products.
        rates: exchange rates.
    """
    candidates: list[_Candidate] = []
    rejected: list[Rejected] = []
    other_days = 0
    for number, line in enumerate(lines):
        try:
            sold_at, broken = _sold_at(line), None
        except _Broken as error:
            sold_at, broken = None, error
        if (sold_at.date().isoformat() if sold_at else line.filed_under) != day.isoformat():
            other_days += 1
            continue
        try:
            _require_fields(line)
            if broken or sold_at is None:
                raise broken or _Broken(Reason.MISSING_FIELD, "sold_at is missing")
            candidates.append(_candidate(day, line, sold_at, number, catalogue, rates))
        except _Broken as error:
            rejected.append(_rejected(day, line, error))
    sold, copies = _without_copies(day, candidates)
    return CleanDay(
        sold, sorted(rejected + copies, key=lambda bad: (_TRUST[bad.source], bad.place, bad.reason)), other_days
    )


def _rejected(day: date, line: RawLine, broken: _Broken) -> Rejected:
    return Rejected(day, line.source, line.place, broken.reason.value, broken.detail, text_of(line))


def _sold_at(line: RawLine) -> datetime | None:
    """When it was sold, UTC; None where nothing is given."""
    return _time(line.sold_at, line.time_zone) if _given(line.sold_at) else None


def _time(text: str | None, zone: str) -> datetime:
    try:
        time = datetime.fromisoformat((text or "").strip())
        return (time if time.tzinfo else time.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _Broken(Reason.UNREADABLE_TIME, f"{text!r} is no time") from error


def _given(text: str | None) -> bool:
    return text is not None and text.strip() != ""


def _require_fields(line: RawLine) -> None:
    missing = [name for name in _REQUIRED if not _given(getattr(line, name))]
    if missing:
        raise _Broken(Reason.MISSING_FIELD, f"{', '.join(missing)} missing")
    if str(line.order_id).strip().upper().startswith("TEST"):
        raise _Broken(Reason.TEST_ORDER, f"{line.order_id} is a test")


def _candidate(
    day: date, line: RawLine, sold_at: datetime, number: int, catalogue: Catalogue, rates: Rates
) -> _Candidate:
    quantity, price = _quantity(line), _price(line)
    currency = str(line.currency).strip().upper()
    rate = rates.on(currency, day)
    if rate is None:
        raise _Broken(Reason.UNKNOWN_CURRENCY, f"there is no exchange rate for {line.currency!r} on {day}")
    product = str(line.product_id).strip()
    name, category = catalogue.get(product, (_or_unknown(line.product_name), _or_unknown(line.category)))
    sale = SaleLine(
        day=day,
        order_id=str(line.order_id).strip(),
        line=str(line.line).strip(),
        kind="return" if quantity < 0 else "sale",
        sold_at=sold_at,
        product_id=product,
        product_name=name,
        category=category,
        channel=_or_unknown(line.channel).lower(),
        country=_country(line.country),
        currency=currency,
        quantity=quantity,
        unit_price=price,
        net_eur=to_cent(quantity * price * rate),
        source=line.source,
        place=line.place,
    )
    changed = _time(line.updated_at, line.time_zone) if _given(line.updated_at) else sold_at
    return _Candidate(sale, line, changed, number)


def _quantity(line: RawLine) -> int:
    number = _number(line.quantity, "quantity")
    if number != number.to_integral_value():
        raise _Broken(Reason.UNREADABLE_NUMBER, f"quantity {line.quantity!r} is no whole number")
    if number == 0:
        raise _Broken(Reason.ZERO_QUANTITY, "quantity is 0")
    if abs(number) > MOST_QUANTITY:
        raise _Broken(Reason.IMPLAUSIBLE_QUANTITY, f"quantity {line.quantity} is over {MOST_QUANTITY:,}")
    returned = number < 0 or (line.kind or "").strip().lower() == "return"
    return -abs(int(number)) if returned else int(number)


def _price(line: RawLine) -> Decimal:
    price = _number(line.unit_price, "price")
    if price < 0:
        raise _Broken(Reason.NEGATIVE_PRICE, f"price {line.unit_price} is negative")
    if price > HIGHEST_PRICE or price != price.quantize(Decimal("0.0001")):
        raise _Broken(
            Reason.IMPLAUSIBLE_PRICE, f"price {line.unit_price} is over {HIGHEST_PRICE:,} or has over 4 decimals"
        )
    return price


def _number(text: str | None, what: str) -> Decimal:
    try:
        number = Decimal((text or "").strip())
    except InvalidOperation as error:
        raise _Broken(Reason.UNREADABLE_NUMBER, f"{what} {text!r} is no number") from error
    if not number.is_finite():
        raise _Broken(Reason.UNREADABLE_NUMBER, f"{what} {text!r} is no number")
    return number


def _or_unknown(text: str | None) -> str:
    return text.strip() if text and text.strip() else UNKNOWN


def _country(text: str | None) -> str:
    code = (text or "").strip().upper()
    return code if len(code) == 2 and code.isalpha() and code.isascii() else UNKNOWN


def _without_copies(day: date, candidates: list[_Candidate]) -> tuple[list[SaleLine], list[Rejected]]:
    kept: dict[tuple[str, str, str], _Candidate] = {}
    copies: list[Rejected] = []
    for candidate in sorted(candidates, key=lambda candidate: candidate.rank):
        sale = candidate.sale
        first = kept.setdefault((sale.order_id, sale.line, sale.kind), candidate)
        if first is not candidate:
            detail = f"a copy of {first.raw.place} ({first.raw.source})"
            copies.append(_rejected(day, candidate.raw, _Broken(Reason.DUPLICATE, detail)))
    sold = sorted((c.sale for c in kept.values()), key=lambda sale: (sale.sold_at, sale.order_id, sale.line, sale.kind))
    return sold, copies
