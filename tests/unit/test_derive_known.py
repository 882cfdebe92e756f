"""Reading by key asks for several visitors and days at once, and gives each its own."""

import gc
from datetime import date, timedelta
from typing import Any

import pytest

from clicktrail.job.derive import known, spread
from clicktrail.job.derive.event import Event, start_of
from clicktrail.job.derive.known import read_events
from clicktrail.settings import Settings

DAY = date(2026, 11, 20)


class Table:
    """Answers a SELECT for visitors and days out of events."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.asked: list[tuple[list[str], list[date]]] = []

    def read(self, _: str, keys: list[Any]) -> list[list[Event]]:
        self.asked += keys
        return [
            [
                e
                for e in self.events
                if e.user_id in ids and any(0 <= e.time - start_of(day) < 86_400_000 for day in days)
            ]
            for ids, days in keys
        ]


def event(visitor: str, day: date) -> Event:
    return Event(visitor, start_of(day) + 5, f"{visitor}{day}", "page")


def test_each_gets_its_own_events_and_no_request_reads_more_than_it_may() -> None:
    days = [DAY + timedelta(days=n) for n in range(45)]
    wanted = [(f"v{n}", DAY) for n in range(50)] + [("often", day) for day in days] + [("v1", days[1])]
    table = Table([event(visitor, day) for visitor, day in wanted if visitor != "v7"])
    found = read_events(table, wanted)  # type: ignore[arg-type]
    assert found == {(visitor, day): [event(visitor, day)] if visitor != "v7" else [] for visitor, day in wanted}
    assert all(len(ids) * len(on) <= known._PARTITIONS for ids, on in table.asked)
    assert sorted((one, day) for ids, on in table.asked for one in ids for day in on) == sorted(wanted)
    assert len(table.asked) == 3 + 3 + 1  # 49 visitors of one day, 45 days of one visitor, two days of one


def test_a_single_piece_is_done_without_spark() -> None:
    def work(cql: object, piece: int) -> tuple[object, int]:
        return cql, piece + 1

    assert spread.each(None, Settings(), "cql", work, [1]) == [("cql", 2)]  # type: ignore[arg-type]
    assert spread.each(None, Settings(), "cql", work, []) == []  # type: ignore[arg-type]
    with pytest.raises(AttributeError):  # one more, and Spark is asked
        spread.each(None, Settings(), "cql", work, [1, 2])  # type: ignore[arg-type]


def test_garbage_is_looked_for_again_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with spread.garbage_seldom_looked_for():
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before
