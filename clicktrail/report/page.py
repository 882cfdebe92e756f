"""The report as something that rich can show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clicktrail.report.figures import DAYS, Figures

_BARS = "▁▂▃▄▅▆▇█"
_SHOWN = 6


def sparkline(values: Sequence[float]) -> str:
    """A bar for each value, the largest as high as it goes; blank for nothing."""
    largest = max(values, default=0)
    if largest <= 0:
        return " " * len(values)
    return "".join(_BARS[round(value / largest * (len(_BARS) - 1))] if value > 0 else " " for value in values)


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 05 s`` or ``2 h 07 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def render(figures: Figures) -> RenderableType:
    """The whole page."""
    title = Text(f"\nclicktrail report, {figures.day:%A} {figures.day.isoformat()} (UTC)\n", style="bold")
    if figures.today is None:
        return Group(title, Text("No events on this day.\n"))
    return Group(title, *_parts(figures))


def _parts(figures: Figures) -> Iterator[RenderableType]:
    row = figures.today
    yield _overview(figures)
    hours = [float(views) for views in row.views_by_hour or []]
    yield Text.assemble("\nViews by hour  ", (sparkline(hours), "cyan"), "  0 h to 23 h")
    for site, pages in figures.pages.items():
        yield _titled(f"Most viewed on {site}", _pages(pages))
    yield _titled("Sessions by channel", _shares(row.sessions_by_channel))
    yield _titled("Sessions by device", _shares(row.sessions_by_device))
    yield _titled("Sessions by country", _shares(row.sessions_by_country))
    for name, steps in figures.funnels.items():
        yield _titled(f"Funnel {name}", _funnel(steps))


def _overview(figures: Figures) -> Table:
    row = figures.today
    table = _table("figure", "today", f"last {DAYS} days")
    sessions = row.sessions or 0
    shown = {
        "views": f"{row.views:,}",
        "visitors": f"{row.visitors:,}",
        "sessions": f"{sessions:,}",
        "orders": f"{row.orders:,}",
        "revenue": f"{row.revenue:,.2f}",
        "bot_views": f"{row.bot_views:,}",
    }
    for name, value in shown.items():
        table.add_row(name.replace("_", " "), value, Text(sparkline(figures.series(name)), style="cyan"))
    if sessions:
        table.add_row("bounce rate", f"{(row.bounces or 0) / sessions:.0%}", "")
        table.add_row("mean session", duration((row.session_seconds or 0) / sessions), "")
        table.add_row("conversion", f"{row.orders / sessions:.1%}", "orders a session")
    return table


def _pages(pages: Sequence[Any]) -> Table:
    table = _table("#", "page", "views")
    for row in pages:
        table.add_row(str(row.rank), Text(row.page_path, overflow="ellipsis", no_wrap=True), f"{row.views:,}")
    return table


def _shares(counts: Mapping[str, int] | None) -> Table:
    table = _table("", "sessions", "share")
    whole = sum((counts or {}).values())
    for name, count in sorted((counts or {}).items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]:
        share = count / whole
        table.add_row(name, f"{count:,}", Text.assemble(f"{share:4.0%} ", ("█" * round(share * 20), "cyan")))
    return table


def _funnel(steps: Sequence[Any]) -> Table:
    table = _table("step", "visitors", "of the first", "median time")
    for row in steps:
        bar = Text.assemble(f"{row.conversion:4.0%} ", ("█" * round(row.conversion * 20), "cyan"))
        waited = duration(row.median_seconds) if row.median_seconds is not None else ""
        table.add_row(row.name, f"{row.visitors:,}", bar, waited)
    return table


def _titled(title: str, table: Table) -> Group:
    return Group(Text("\n" + title, style="bold"), table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for column in columns:
        right = column in ("today", "views", "sessions", "visitors", "median time")
        table.add_column(column, justify="right" if right else "left", header_style="dim")
    return table
