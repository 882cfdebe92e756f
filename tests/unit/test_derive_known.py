"""Reading by key asks for several visitors and days at once, and gives each its own."""

from datetime import date, timedelta
from typing import Any

import pytest

from clicktrail.job.derive import known, spread, visits
from clicktrail.job.derive.event import Event, start_of
from clicktrail.job.derive.known import Target, read_events
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


def test_a_few_visitors_are_done_without_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setattr(visits, "refresh", lambda _, targets, *__: done.append(len(targets)) or {DAY})
    few = [Target(f"v{n}", frozenset({DAY}), ()) for n in range(spread.FEW)]
    assert spread.refresh(None, Settings(), None, few, (), 1) == {DAY}  # type: ignore[arg-type]
    assert done == [spread.FEW]
    with pytest.raises(AttributeError):  # one more, and Spark would be asked
        spread.refresh(None, Settings(), None, [*few, few[0]], (), 1)  # type: ignore[arg-type]
