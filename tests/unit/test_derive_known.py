"""Reading by key asks for several visitors and days at once, and gives each its own."""

from __future__ import annotations

import gc
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
    """Does the jobs that it is given, and keeps what they were."""

    def __init__(self, slots: int) -> None:
        self.sparkContext = self
        self.defaultParallelism = slots
        self.jobs: list[int] = []
        self.pools: list[str | None] = []

    def setLocalProperty(self, name: str, value: str | None) -> None:
        assert name == "spark.scheduler.pool"
        self.pools.append(value)

    def parallelize(self, pieces: list[int], slices: int) -> Spark:
        self.jobs.append(slices)
        self.pieces = pieces
        return self

    def map(self, do: Callable[[int], int]) -> Spark:
        self.made = [do(piece) for piece in self.pieces]
        return self

    def collect(self) -> list[int]:
        return self.made


def test_a_single_piece_is_done_without_spark() -> None:
    def work(cql: object, piece: int) -> tuple[object, int]:
        return cql, piece + 1

    one = spread.Spread(None, Settings(), "cql", beside_batches=False)  # type: ignore[arg-type]
    assert one.each(work, [1]) == [("cql", 2)]
    assert one.each(work, []) == []
    with pytest.raises(AttributeError):  # one more, and Spark is asked
        one.each(work, [1, 2])


@pytest.mark.parametrize(
    ("slots", "beside_batches", "jobs", "requests"),
    [(8, False, [5], 64), (8, True, [2, 2, 1], 8), (2, True, [1] * 5, 8)],
)
def test_pieces_beside_batches_leave_most_of_the_executors_to_them(
    slots: int, beside_batches: bool, jobs: list[int], requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clicktrail.job.worker.cql", lambda settings, at_once: at_once)
    spark = Spark(slots)
    by = spread.Spread(spark, Settings(), "cql", beside_batches=beside_batches)  # type: ignore[arg-type]
    made: list[Any] = by.each(lambda at_once, piece: (at_once, piece), [*range(5)])
    assert made == [(requests, piece) for piece in range(5)]
    assert spark.jobs == jobs
    assert spark.pools[0] is not None
    assert spark.pools[-1] is None


def test_pieces_beside_batches_are_small() -> None:
    sizes = [spread.Spread(None, Settings(), "cql", beside_batches=beside).size(1_000) for beside in (False, True)]  # type: ignore[arg-type]
    assert sizes[0] == 1_000
    assert sizes[1] < 100


def test_garbage_is_looked_for_again_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with spread.garbage_seldom_looked_for():
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before
