"""``clicktrail report``: how a day was."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

import typer
from rich.console import Console

from clicktrail import store
from clicktrail.errors import ClicktrailError
from clicktrail.report.figures import read
from clicktrail.report.page import render
from clicktrail.settings import Settings


def report(day: Annotated[str, typer.Argument(help="today, or a date such as 2026-11-21 (UTC)")] = "today") -> None:
    """Show a day's numbers: visitors, sessions, orders, pages, channels, funnels."""
    chosen = parse_day(day, datetime.now(UTC).date())
    with store.connect(Settings.from_env()) as session:
        figures = read(session, chosen)
    Console().print(render(figures))


def parse_day(text: str, today: date) -> date:
    """The date that a person means.

    Raises:
        ClicktrailError: it is none.
    """
    if text == "today":
        return today
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ClicktrailError(f"{text!r} is no day; write today or a date such as {today.isoformat()}") from error
