"""Late rows are looked for ever more seldom, and count from the look that found them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.harness import latency


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def time(self) -> float:
        return self.now


class Session:
    """Knows rows from a moment on, and notes when it was asked."""

    def __init__(self, clock: Clock, stored: dict[str, float]) -> None:
        self.clock, self.stored = clock, stored
        self.asked: dict[str, list[float]] = {}

    def prepare(self, statement: str) -> str:
        return statement

    def execute_async(self, _: str, key: tuple[str]) -> Session:
        self.asked.setdefault(key[0], []).append(self.clock.now)
        self.key = key
        return self

    def add_callback(self, answered: Callable[..., None], *args: Any) -> None:
        answered([self.key] if self.clock.now >= self.stored[self.key[0]] else [], *args)

    def result(self) -> None:
        return None


def test_late_rows_are_looked_for_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(latency, "time", clock)
    session = Session(clock, {"soon": 100.1, "late": 110.0})
    lookout = latency.Lookout(session)
    lookout.expect(("soon",), 100.0)
    lookout.expect(("late",), 100.0)
    while lookout.waiting:
        clock.now = round(clock.now + 0.01, 2)
        lookout.look()
    soon, late = lookout.latencies
    assert soon == pytest.approx(0.11, abs=0.02)
    assert late == pytest.approx(10.0, rel=0.1)
    assert late >= 10.0
    waits = [after - before for before, after in zip(session.asked["late"], session.asked["late"][1:], strict=False)]
    assert waits[0] == pytest.approx(0.02, abs=0.011)
    assert waits[-1] > 0.5
    assert len(session.asked["late"]) < 60
