"""The report's page from figures, without a database."""

from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from rich.console import Console

from clicktrail.commands.report import parse_day
from clicktrail.errors import ClicktrailError
from clicktrail.report.figures import DAYS, Figures
from clicktrail.report.page import duration, render, sparkline

DAY = date(2026, 11, 20)


def row(**changes: object) -> SimpleNamespace:
    given = {
        "views": 1200, "visitors": 300, "sessions": 400, "orders": 10, "revenue": 1234.5, "bot_views": 7,
        "bounces": 100, "session_seconds": 48_000.0, "views_by_hour": [0] * 23 + [5],
        "views_by_site": {"shop.example": 1200},
        "sessions_by_channel": {"direct": 100, "search": 300}, "sessions_by_device": {"mobile": 400},
        "sessions_by_country": {"DE": 400},
    }  # fmt: skip
    return SimpleNamespace(**(given | changes))


def shown(figures: Figures) -> str:
    console = Console(width=100, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as capture:
        console.print(render(figures))
    return capture.get()


def test_the_page_says_the_days_numbers() -> None:
    page = SimpleNamespace(rank=1, page_path="/kettle", views=99)
    steps = [
        SimpleNamespace(name="product", visitors=200, conversion=1.0, median_seconds=None),
        SimpleNamespace(name="cart", visitors=50, conversion=0.25, median_seconds=65.0),
    ]
    text = shown(Figures(DAY, {DAY: row()}, {"shop.example": [page]}, {"shop": steps}))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "clicktrail report, Friday 2026-11-20 (UTC)" in lines
    assert "views 1,200 █" in lines
    assert "revenue 1,234.50 █" in lines
    assert "bounce rate 25%" in lines
    assert "mean session 2 min 00 s" in lines
    assert "Most viewed on shop.example" in lines
    assert "1 /kettle 99" in lines
    assert lines.index("search 300 75% ███████████████") < lines.index("direct 100 25% █████")
    assert "cart 50 25% █████ 1 min 05 s" in lines


def test_a_day_without_events_is_said() -> None:
    assert "No events on this day." in shown(Figures(DAY, {}, {}, {}))


def test_a_series_has_a_value_a_day() -> None:
    figures = Figures(DAY, {DAY: row(), DAY - timedelta(days=2): row(views=5)}, {}, {})
    assert figures.series("views") == [0.0] * (DAYS - 3) + [5.0, 0.0, 1200.0]


def test_sparklines_and_durations() -> None:
    assert sparkline([0, 1, 4, 8]) == " ▂▅█"
    assert sparkline([0, 0]) == "  "
    assert [duration(45), duration(185), duration(7620)] == ["45 s", "3 min 05 s", "2 h 07 min"]


def test_a_day_as_people_write_it() -> None:
    assert parse_day("today", DAY) == DAY
    assert parse_day("2015-05-17", DAY) == date(2015, 5, 17)
    with pytest.raises(ClicktrailError, match="2026-11-20"):
        parse_day("yesterdayish", DAY)
