"""The sample shop: the same for the same seed, overlapping and dirty as promised."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

from clicktrail.sales.folders import Folders
from clicktrail.sales.records import RawLine
from clicktrail.sales.shop import sold_on
from clicktrail.sales.shop_sources import write_shop
from clicktrail.sales.source_database import database_of, read_database
from clicktrail.sales.source_files import read_files
from clicktrail.servers.sales_shop import HISTORY, write_missing_days

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 5)


def contents(folders: Folders) -> dict[str, bytes]:
    paths = [*folders.api.iterdir(), *folders.drop.iterdir()]
    return {path.name: path.read_bytes() for path in paths}


def bookings(folders: Folders, day: date) -> list[RawLine]:
    return list(read_database(database_of("sqlite", str(folders.database), None, None, None, None, {}), day))


def test_the_same_seed_gives_the_same_shop(tmp_path: Path) -> None:
    one, two, other = (Folders(tmp_path / name) for name in ("one", "two", "other"))
    counts = [write_shop(one, FIRST, LAST, 7), write_shop(two, FIRST, LAST, 7), write_shop(two, FIRST, LAST, 7)]
    assert len(set(counts)) == 1
    write_shop(other, FIRST, LAST, 8)
    assert contents(one) == contents(two)
    assert contents(one) != contents(other)
    assert bookings(one, FIRST) == bookings(two, FIRST)


def test_day_by_day_gives_the_same_files(tmp_path: Path) -> None:
    whole, daily = Folders(tmp_path / "whole"), Folders(tmp_path / "daily")
    write_shop(whole, FIRST, LAST, 7)
    for number in range(1, 6):
        write_shop(daily, date(2026, 10, number), date(2026, 10, number), 7)
    for day in (date(2026, 10, 2), date(2026, 10, 4), LAST):
        assert [line for line in read_files(daily.drop, day)] == [line for line in read_files(whole.drop, day)]
        assert bookings(daily, day) == bookings(whole, day)


def test_sources_overlap_and_are_dirty(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    write_shop(folders, FIRST, LAST, 7)
    days = [date(2026, 10, number) for number in range(1, 6)]
    database = {line.order_id for day in days for line in bookings(folders, day)}
    items = [item for day in days for item in json.loads((folders.api / f"{day}.json").read_text())]
    files = [line for day in days for line in read_files(folders.drop, day)]
    assert len(database & {item["orderId"] for item in items}) > 10
    assert len(database & {line.order_id for line in files}) > 5
    assert max(Counter(json.dumps(item) for item in items).values()) == 2
    assert {item["currency"] for item in items} > {"EUR", "GBP", "USD"}
    assert any(None in item.values() for item in items)
    assert {"sale", "return"} == {item["type"] for item in items}
    assert {line.time_zone for line in files} == {"Europe/Berlin", "America/New_York"}


def test_what_comes_back_was_sold_before() -> None:
    day = date(2026, 10, 20)
    returns = [line for line in sold_on(7, day) if line.kind == "return"]
    sold = {
        (line.order_id, line.line): line
        for number in range(1, 20)
        for line in sold_on(7, date(2026, 10, number))
        if line.kind == "sale"
    }
    assert len(returns) > 5
    for line in returns:
        sale = sold[line.order_id, line.line]
        assert (line.quantity, line.unit_price, line.currency) == (sale.quantity, sale.unit_price, sale.currency)
        assert line.at.date() == day


def test_the_stack_keeps_the_shop_up_to_yesterday(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    write_missing_days(folders, date(2026, 10, 20))
    assert len(list(folders.api.iterdir())) == HISTORY
    before = (folders.api / "2026-10-19.json").stat().st_mtime_ns
    write_missing_days(folders, date(2026, 10, 20))
    write_missing_days(folders, date(2026, 10, 22))
    assert (folders.api / "2026-10-19.json").stat().st_mtime_ns == before
    assert max(path.name for path in folders.api.iterdir()) == "2026-10-21.json"
