"""``clicktrail sales``: a sample shop, a day's numbers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clicktrail.commands.sales import app
from clicktrail.errors import ClicktrailError
from clicktrail.sales.aggregate import tables_of
from clicktrail.sales.folders import Folders
from clicktrail.sales.money import read_rates
from clicktrail.sales.records import RawLine
from clicktrail.sales.rules import clean
from clicktrail.sales.warehouse import open_warehouse
from clicktrail.settings import Settings

DAY = date(2026, 10, 5)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CLICKTRAIL_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    return Settings.from_env()


def test_generate_writes_the_days(home: Settings) -> None:
    result = CliRunner().invoke(app, ["generate", "--last", "2026-10-05", "--days", "3"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "from 2026-10-03 to 2026-10-05" in result.output
    folders = Folders.of(home)
    assert sorted(path.name for path in folders.api.iterdir()) == [f"2026-10-0{day}.json" for day in (3, 4, 5)]
    assert folders.database.exists()
    assert (folders.drop / "berlin_2026-10-05.csv").exists()


def test_show_gives_the_numbers_of_a_day(home: Settings) -> None:
    line = RawLine("api", "item 1", str(DAY), "A-1", "1", "sale", f"{DAY}T12:00:00Z", "UTC", "K01", "Kettle", "Kitchen")
    lines = [
        RawLine(
            **{
                **vars(line),
                "channel": "app",
                "country": "DE",
                "currency": "USD",
                "quantity": "3",
                "unit_price": "9.99",
            }
        ),
        RawLine("files", "row 2", str(DAY)),
    ]
    with open_warehouse(home) as warehouse:
        warehouse.replace_day(DAY, tables_of(DAY, clean(DAY, lines, {}, read_rates()), 2))
    result = CliRunner().invoke(app, ["show", "2026-10-05"], catch_exceptions=False)
    assert "Monday, 5 October 2026: net revenue €27.57" in result.output
    assert "1 orders, 3 units, returns €0.00; 1 of 2 lines rejected" in result.output
    assert [word for word in result.output.split() if word == "€27.57"] == ["€27.57"] * 9


def test_show_says_what_to_do_about_a_day_that_is_not_there(home: Settings) -> None:
    with pytest.raises(ClicktrailError, match="Run daily_sales_pipeline for that day first"):
        CliRunner().invoke(app, ["show", "2026-10-05"], catch_exceptions=False)
    with pytest.raises(ClicktrailError, match="write it as in 2026-10-31"):
        CliRunner().invoke(app, ["show", "monday"], catch_exceptions=False)
