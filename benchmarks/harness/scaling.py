"""The cells of the scaling matrix: one thing varies, the others stay as they are by default."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.harness.workload import Workload

ZIPF = 0.99
"""Exponent of the law by which visitors come where it is said to be Zipf's."""


@dataclass(frozen=True)
class Point:
    """One cell: what varies, its value, and the work that this means."""

    axis: str
    value: int
    workload: Workload
    workers: int = 2

    @property
    def cell(self) -> dict[str, str | int | float]:
        """How the results name it."""
        return {"axis": self.axis, "value": self.value, "events": self.workload.events}


def points(events: int) -> list[Point]:
    """The whole matrix, the longest runs last; ``events`` in each cell but those of the events a visitor."""
    visitors = (1_000, 10_000, 100_000, 1_000_000)
    return [
        *(Point("partitions", number, Workload(events, partitions=number)) for number in (1, 2, 4, 8)),
        *(Point("visitors, uniform", number, Workload(events, visitors=number, zipf=0.0)) for number in visitors),
        *(Point("visitors, Zipf", number, Workload(events, visitors=number, zipf=ZIPF)) for number in visitors),
        *(Point("workers", number, Workload(events), workers=number) for number in (1, 2)),
        *(
            Point("events a visitor", each, Workload(1_000 * each, visitors=1_000, zipf=0.0))
            for each in (10, 100, 1_000)
            if 1_000 * each <= 10 * events
        ),
    ]
