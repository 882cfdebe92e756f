"""Reading by key asks for several visitors and days at once, and gives each its own."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
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


class Spark:
    """Does the jobs that it is given, and keeps how many pieces they had, in which pool."""

    def __init__(self) -> None:
        self.sparkContext = self
        self.jobs: list[tuple[int, str | None]] = []
        self.pool: str | None = None

    def setLocalProperty(self, name: str, value: str | None) -> None:
        assert name == "spark.scheduler.pool"
        self.pool = value

    def parallelize(self, pieces: list[int], slices: int) -> Spark:
        self.jobs.append((slices, self.pool))
        self.pieces = pieces
        return self

    def map(self, do: Callable[[int], int]) -> Spark:
        self.made = [do(piece) for piece in self.pieces]
        return self

    def collect(self) -> list[int]:
        return self.made


@pytest.mark.parametrize(
    ("quietly", "pieces", "by", "jobs"),
    [(False, 5, "executor", [(5, "answers")]), (False, 1, "driver", []), (False, 0, "", []), (True, 5, "driver", [])],
)
def test_quiet_work_and_single_pieces_are_the_drivers(
    quietly: bool, pieces: int, by: str, jobs: list[tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clicktrail.job.worker.cql", lambda _: "executor")
    spark = Spark()
    spread_out = spread.Spread(spark, Settings(), "driver", threading.Event() if quietly else None)  # type: ignore[arg-type]
    made: list[Any] = spread_out.each(lambda cql, piece: (cql, piece), [*range(pieces)])
    assert made == [(by, piece) for piece in range(pieces)]
    assert spark.jobs == jobs
    assert spark.pool is None


def test_quiet_pieces_are_small() -> None:
    sizes = [spread.Spread(None, Settings(), "cql", quietly).size(1_000) for quietly in (None, threading.Event())]  # type: ignore[arg-type]
    assert sizes[0] == 1_000
    assert sizes[1] < 500


def test_quiet_work_stops_between_two_pieces() -> None:
    stopping, done = threading.Event(), []

    def work(_: object, piece: int) -> None:
        done.append(piece)
        if piece == 2:
            stopping.set()

    with pytest.raises(spread.StoppedError):
        spread.Spread(None, Settings(), "driver", stopping).each(work, [1, 2, 3])  # type: ignore[arg-type]
    assert done == [1, 2]


def test_garbage_is_looked_for_again_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with spread.garbage_seldom_looked_for():
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before
