"""The figures as they are kept: one JSON file a kind of benchmark, written anew after each run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clicktrail.settings import PROJECT

FOLDER = PROJECT / "benchmarks" / "results"
NOISY = 0.10
"""Share of the machine that others had during a run, or before it, from which on the run is said to be noisy."""

Cell = Mapping[str, str | int | float]
"""What a run was about: number of events, partitions, visitors, …"""


@dataclass(frozen=True)
class Result:
    """One run of one contender, or one measurement of one limit."""

    kind: str
    """``drain``, ``scaling``, ``idle``, ``latency`` or ``limit``."""
    subject: str
    """The contender's or the limit's name."""
    cell: Cell
    repetition: int
    figures: dict[str, float] = field(default_factory=dict)
    problem: str = ""
    """Why the run does not count; empty where it does."""
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def key(self) -> str:
        """What no two results of one file have in common."""
        return result_key(self.kind, self.subject, self.cell, self.repetition)

    @property
    def noisy(self) -> bool:
        """Whether others had too much of the machine."""
        return max(self.figures.get("others", 0.0), self.figures.get("others_before", 0.0)) > NOISY


def result_key(kind: str, subject: str, cell: Cell, repetition: int) -> str:
    """The identity of a run."""
    return json.dumps([kind, subject, dict(cell), repetition], sort_keys=True)


@dataclass
class Report:
    """All results of one benchmark, and what they were measured on."""

    machine: dict[str, Any]
    options: dict[str, Any]
    about: dict[str, str] = field(default_factory=dict)
    """What each contender and each limit is."""
    notes: list[str] = field(default_factory=list)
    """What was left out, and why."""
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    results: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Add a result in place of one with the same key."""
        self.results = [known for known in self.results if known.key != result.key] + [result]

    def good(self, kind: str, subject: str | None = None, **cell: str | float) -> list[Result]:
        """The results that count: of a kind, a subject, and with these values in their cell."""
        return [
            result
            for result in self.results
            if result.kind == kind
            and not result.problem
            and subject in (None, result.subject)
            and all(result.cell.get(name) == value for name, value in cell.items())
        ]

    def subjects(self, kind: str) -> list[str]:
        """Who has results of a kind, in the order of ``about``, then of their first appearance."""
        seen = dict.fromkeys(result.subject for result in self.results if result.kind == kind)
        return sorted(seen, key=lambda name: list(self.about).index(name) if name in self.about else len(self.about))

    def save(self, path: Path) -> None:
        """Write the file; a reader sees the old one or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(new, path)

    @classmethod
    def load(cls, path: Path) -> Report:
        """Read a file that :meth:`save` wrote."""
        raw = json.loads(path.read_text(encoding="utf-8"))
        return cls(**(raw | {"results": [Result(**result) for result in raw["results"]]}))


def collect(results: Iterable[Result], by: Callable[[Result], Any]) -> dict[Any, list[Result]]:
    """Group results."""
    groups: dict[Any, list[Result]] = {}
    for result in results:
        groups.setdefault(by(result), []).append(result)
    return groups
