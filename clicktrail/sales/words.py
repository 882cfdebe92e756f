"""How the report writes figures."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from clicktrail.sales.money import to_cent

NOTHING = "–"


def euros(amount: Decimal | None, cents: bool = True) -> str:
    """``€12,345.67``; ``cents=False`` rounds to whole euros."""
    if amount is None:
        return NOTHING
    shown = to_cent(amount)
    text = f"{abs(shown):,.2f}" if cents else f"{abs(shown):,.0f}"
    return f"{'−' if shown < 0 else ''}€{text}"


def per_cent(share: Decimal | None, sign: bool = False) -> str:
    """``4.2 %``; with ``sign`` ``+4.2 %`` or ``−4.2 %``."""
    if share is None:
        return NOTHING
    text = f"{abs(share):,.1f} %"
    if round(share, 1) == 0:
        return text if not sign else f"±{text}"
    return f"{'−' if share < 0 else '+' if sign else ''}{text}"


def long_date(day: date) -> str:
    """``Saturday, 10 October 2026``."""
    return f"{day:%A}, {day.day} {day:%B %Y}"


def plain(name: str) -> str:
    """A name for machines as people write it: ``missing_field`` is ``missing field``."""
    return name.replace("_", " ")
