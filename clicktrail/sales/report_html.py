"""The report as the HTML of a mail: the same numbers, in tables that every mail program shows."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from clicktrail.sales.report import Report, change, copies
from clicktrail.sales.words import euros, long_date, per_cent, plain


def html(report: Report) -> str:
    """The mail's text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(euros=euros, per_cent=per_cent, plain=plain, long_date=long_date)
    environment.globals.update(change=change, signed=lambda by: per_cent(by, sign=True), colour=_colour, copies=copies)
    return environment.get_template("report.html.j2").render(report=report)


def subject(report: Report) -> str:
    """The mail's subject: the day and what matters most."""
    before = change(report.today.net, report.week_ago.net if report.week_ago else None)
    compared = f", {per_cent(before, sign=True)} on last {report.day:%A}" if before is not None else ""
    return f"Sales of {report.day:%a} {report.day.day} {report.day:%b %Y}: {euros(report.today.net)}{compared}"


def _colour(by: Decimal | None) -> str:
    if by is None or round(by, 1) == 0:
        return "#6b7684"
    return "#1a7f4b" if by > 0 else "#c0392b"
