"""The report as a PDF of two pages: the day at a glance, and what is behind it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from clicktrail.sales.report import Part, Report, at_most, change, copies
from clicktrail.sales.words import NOTHING, euros, long_date, per_cent, plain

INK, QUIET, LINE, PANEL = "#1c2430", "#6b7684", "#d9dee5", "#f4f6f9"
ACCENT, SAME_DAY, PALE = "#1f5fbf", "#8fb3e6", "#d5dfec"
GOOD, BAD = "#1a7f4b", "#c0392b"
_A4 = (8.27, 11.69)  # inches
_LEFT, _WIDTH = 0.07, 0.86  # of the page


def pdf(report: Report) -> bytes:
    """The PDF; the same report gives the same bytes."""
    output = io.BytesIO()
    metadata = {"Title": f"Daily sales {report.day}", "Creator": "clicktrail", "CreationDate": None}
    with PdfPages(output, metadata=metadata) as pages:
        for number, draw in enumerate((_first_page, _second_page), start=1):
            page = Figure(figsize=_A4, facecolor="white")
            _head(page, report, number)
            draw(page, report)
            pages.savefig(page)
    return output.getvalue()


def _head(page: Figure, report: Report, number: int) -> None:
    page.text(_LEFT, 0.955, "Daily sales", size=11, color=ACCENT, weight="bold", va="center")
    page.text(_LEFT, 0.932, long_date(report.day), size=19, color=INK, weight="bold", va="center")
    page.text(
        _LEFT + _WIDTH,
        0.955,
        "midnight to midnight UTC · amounts in euros",
        size=8.5,
        color=QUIET,
        ha="right",
        va="center",
    )
    page.text(_LEFT + _WIDTH, 0.025, f"page {number} of 2", size=7.5, color=QUIET, ha="right")
    page.text(
        _LEFT,
        0.025,
        "Net revenue is sales less returns; returns count on the day they came back. Rejected rows are kept.",
        size=7.5,
        color=QUIET,
    )


def _first_page(page: Figure, report: Report) -> None:
    _tiles(page, report)
    _title(page, 0.745, "Net revenue, last four weeks", _trend_note(report))
    _trend(_axes(page, 0.545, 0.185, left=_LEFT + 0.055), report)
    _title(page, 0.490, _top(report), "net revenue · units sold · change on the same weekday of last week")
    _bars(_axes(page, 0.065, 0.410, left=_LEFT + 0.15), report.products, 0.15, units=True)


def _top(report: Report) -> str:
    return f"Top {len(report.products)} products" if report.products else "Products"


def _second_page(page: Figure, report: Report) -> None:
    middle, half = 0.525, 0.405
    _title(page, 0.885, "Channels", "net revenue · change on the same weekday of last week")
    _bars(_axes(page, 0.735, 0.135, left=_LEFT + 0.11), report.channels, 0.11)
    _title(page, 0.695, "Categories", "")
    _bars(
        _axes(page, 0.520, 0.160, left=_LEFT + 0.08, width=half - 0.08), at_most(report.categories, 6), 0.08, short=True
    )
    _title(page, 0.695, "Countries", "", left=middle)
    _bars(
        _axes(page, 0.520, 0.160, left=middle + 0.075, width=half - 0.075),
        at_most(report.countries, 6),
        0.075,
        short=True,
    )
    _title(page, 0.475, "Returns", _returns_note(report))
    _returns(page, report, top=0.435)
    _title(page, 0.235, "Rejected rows", _rejected_note(report))
    _rejected(page, report)


def _tiles(page: Figure, report: Report) -> None:
    today, yesterday, before = report.today, report.yesterday, report.week_ago
    weekday = f"{report.day:%A}"[:3]
    tiles: list[tuple[str, str, Any, Any, Any, bool]] = [
        ("Net revenue", euros(today.net), today.net, yesterday and yesterday.net, before and before.net, True),
        ("Orders", f"{today.orders:,}", today.orders, yesterday and yesterday.orders, before and before.orders, True),
        (
            "Average order, before returns",
            euros(today.per_order),
            today.per_order,
            yesterday and yesterday.per_order,
            before and before.per_order,
            True,
        ),
        (
            f"Returns · {per_cent(today.return_share)} of sales",
            euros(today.returned),
            today.returned,
            yesterday and yesterday.returned,
            before and before.returned,
            False,
        ),
    ]
    gap, width = 0.014, (_WIDTH - 3 * 0.014) / 4
    for number, (label, value, now, day_before, week_before, more_is_good) in enumerate(tiles):
        left = _LEFT + number * (width + gap)
        axes = page.add_axes((left, 0.785, width, 0.115))
        axes.set_axis_off()
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.add_patch(
            FancyBboxPatch((0, 0), 1, 1, boxstyle="round,pad=0,rounding_size=0.04", facecolor=PANEL, edgecolor="none")
        )
        axes.text(0.07, 0.84, label, size=7.6, color=QUIET, va="center")
        axes.text(0.07, 0.59, value, size=14.5, color=INK, weight="bold", va="center")
        _delta(axes, 0.30, change(now, day_before), "on the day before", more_is_good)
        _delta(axes, 0.13, change(now, week_before), f"on last {weekday}", more_is_good)


def _delta(axes: Axes, height: float, by: Decimal | None, words: str, more_is_good: bool) -> None:
    axes.text(
        0.07, height, per_cent(by, sign=True), size=7.8, weight="bold", color=_colour(by, more_is_good), va="center"
    )
    axes.text(0.41, height, words, size=7, color=QUIET, va="center")


def _colour(by: Decimal | None, more_is_good: bool = True) -> str:
    if by is None or round(by, 1) == 0:
        return QUIET
    return GOOD if (by > 0) is more_is_good else BAD


def _title(page: Figure, height: float, text: str, note: str, left: float = _LEFT) -> None:
    page.text(left, height, text, size=11.5, color=INK, weight="bold", va="center")
    if note:
        page.text(_LEFT + _WIDTH, height, note, size=7.8, color=QUIET, ha="right", va="center")


def _axes(page: Figure, bottom: float, height: float, left: float = _LEFT, width: float | None = None) -> Axes:
    width = width if width is not None else _LEFT + _WIDTH - left
    axes = page.add_axes((left, bottom, width, height))
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, labelsize=7.5, labelcolor=QUIET)
    return axes


def _trend_note(report: Report) -> str:
    known = [net for _, net in report.trend if net is not None]
    average = sum(known, Decimal(0)) / len(known)
    days = "day" if len(known) == 1 else "days"
    return f"average of {len(known)} {days} {euros(average, cents=False)}  ·  darker: every {report.day:%A}"


def _trend(axes: Axes, report: Report) -> None:
    values = [float(net) if net is not None else 0.0 for _, net in report.trend]
    colours = [_bar_colour(day, report.day) for day, _ in report.trend]
    axes.bar(range(len(values)), values, color=colours, width=0.78)
    known = [float(net) for _, net in report.trend if net is not None]
    axes.axhline(sum(known) / len(known), color=QUIET, linewidth=0.8, linestyle=(0, (3, 3)))
    if not any(values):
        axes.set_ylim(0, 1)
    axes.annotate(
        euros(report.today.net, cents=False),
        (len(values) - 1, max(values[-1], 0)),
        textcoords="offset points",
        xytext=(0, 3),
        ha="center",
        size=7.5,
        weight="bold",
        color=ACCENT,
    )
    ticks = [number for number in range(len(values)) if (len(values) - 1 - number) % 7 == 0]
    axes.set_xticks(
        ticks,
        [
            f"{report.trend[number][0]:%a} {report.trend[number][0].day} {report.trend[number][0]:%b}"
            for number in ticks
        ],
    )
    axes.yaxis.set_major_formatter(lambda value, _: euros(Decimal(round(value)), cents=False))
    axes.yaxis.set_major_locator(_few_ticks())
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(x=0.03, y=0.12)
    for number, (_, net) in enumerate(report.trend):
        if net is None:
            axes.text(number, 0, NOTHING, size=7, color=QUIET, ha="center", va="bottom")


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4, integer=True)


def _bar_colour(day: date, today: date) -> str:
    if day == today:
        return ACCENT
    return SAME_DAY if day.weekday() == today.weekday() else PALE


def _bars(axes: Axes, parts: Sequence[Part], labels: float, units: bool = False, short: bool = False) -> None:
    """Horizontal bars with their figures behind them.

    Args:
        axes: where; the names stand left of it.
        parts: one bar each.
        labels: width of the names' column, as a share of the page's width.
        units: show the units sold, too.
        short: for half a page: euros without cents.
    """
    if not parts:
        _say_none(axes, "nothing was sold")
        return
    values = [float(part.figures.net) for part in parts]
    places = range(len(parts))
    axes.barh(places, values, color=[ACCENT if value >= 0 else BAD for value in values], height=0.58, alpha=0.85)
    axes.set_yticks([])
    axes.set_ylim(max(len(parts), 6 if short else 4) - 0.4, -0.6)
    axes.set_xticks([])
    most = max([*values, 0.0]) or 1.0
    axes.set_xlim(min([*values, 0.0]), most * (2.1 if short else 1.5))
    side = axes.get_yaxis_transform()  # x in shares of the axes' width
    edge = -labels / axes.get_position().width
    for place, part, value in zip(places, parts, values, strict=True):
        by = change(part.figures.net, part.before)
        end = max(value, 0)
        name = _cut(part.name, 13 if short else 22)
        axes.text(edge, place, name, size=8, color=INK, va="center", transform=side)
        _beside(axes, end, place, 4, euros(part.figures.net, cents=not short), size=8, color=INK, weight="bold")
        if units:
            _beside(axes, end, place, 60, f"{part.figures.units:,} sold", size=7.5, color=QUIET)
        change_text = per_cent(by, sign=True)
        axes.text(1, place, change_text, size=7.8, color=_colour(by), va="center", ha="right", transform=side)


def _beside(axes: Axes, x: float, y: float, points: float, text: str, **style: Any) -> None:
    """A text some points right of a place."""
    axes.annotate(text, (x, y), textcoords="offset points", xytext=(points, 0), va="center", **style)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _say_none(axes: Axes, text: str) -> None:
    axes.set_axis_off()
    axes.text(0, 0.9, text, size=8.5, color=QUIET, va="top", transform=axes.transAxes)


def _returns_note(report: Report) -> str:
    today = report.today
    return f"{today.units_returned:,} units worth {euros(today.returned)}, {per_cent(today.return_share)} of sales"


def _returns(page: Figure, report: Report, top: float) -> None:
    axes = _axes(page, top - 0.165, 0.18)
    if not report.returned:
        _say_none(axes, "Nothing came back.")
        return
    shown = report.returned[:7]
    rows = [
        (part.name, f"{part.figures.units_returned:,}", euros(part.figures.returned), euros(part.figures.net))
        for part in shown
    ]
    if len(report.returned) > len(shown):
        rest = report.returned[len(shown) :]
        units = sum(part.figures.units_returned for part in rest)
        worth = sum((part.figures.returned for part in rest), Decimal(0))
        rows.append((f"{len(rest)} more products", f"{units:,}", euros(worth), ""))
    _table(axes, ("Product", "Units back", "Worth", "Product's net revenue"), rows, (0, 0.52, 0.72, 1.0))


def _table(
    axes: Axes, head: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[float], lines: int = 9
) -> None:
    """A table without a grid: the first column to the left, the others to the right, at these places from 0 to 1."""
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(lines, 0))
    for number, cells in enumerate([head, *rows]):
        for column, (place, cell) in enumerate(zip(columns, cells, strict=True)):
            axes.text(
                place,
                number + 0.5,
                cell,
                size=7.6 if number == 0 else 8,
                color=QUIET if number == 0 else INK,
                ha="left" if column == 0 else "right",
                va="center",
            )
        axes.axhline(number + 1, color=LINE, linewidth=0.5)


def _rejected_note(report: Report) -> str:
    share = Decimal(report.lines_rejected) / report.lines_read * 100 if report.lines_read else None
    return f"{report.lines_rejected:,} of {report.lines_read:,} lines read, {per_cent(share)}{copies(report)}"


def _rejected(page: Figure, report: Report) -> None:
    labels = 0.15
    reasons = _axes(page, 0.06, 0.155, left=_LEFT + labels, width=0.30)
    sources = _axes(page, 0.06, 0.155, left=0.60, width=_LEFT + _WIDTH - 0.60)
    if not report.rejected_by_reason:
        _say_none(reasons, "No line was rejected.")
        sources.set_axis_off()
        return
    names, counts = zip(*report.rejected_by_reason[:8], strict=True)
    places = range(len(names))
    reasons.barh(places, counts, color=BAD, alpha=0.75, height=0.62)
    reasons.set_yticks([])
    reasons.set_xticks([])
    reasons.set_xlim(0, max(counts) * 1.15)
    reasons.set_ylim(max(len(names), 5) - 0.4, -0.6)
    edge = -labels / reasons.get_position().width
    for place, name, count in zip(places, names, counts, strict=True):
        reasons.text(edge, place, plain(name), size=8, color=INK, va="center", transform=reasons.get_yaxis_transform())
        _beside(reasons, count, place, 4, f"{count:,}", size=8, color=INK)
    rows = [(plain(name), f"{count:,}") for name, count in report.rejected_by_source]
    _table(sources, ("Source", "Rejected"), rows, (0, 1.0), lines=7)
