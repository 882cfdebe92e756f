"""Funnels: how far visitors get through ordered steps, by the day they enter.

Declared in ``clicktrail/funnels.toml``. A visitor may try more than once a day; the try that got farthest counts, of
equal ones the first. Crawlers take no part.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from clicktrail.errors import ClicktrailError
from clicktrail.job.derive.event import DAY, Event, day_of, place

FILE = Path(__file__).resolve().parents[2] / "funnels.toml"
_UNITS = {"minute": 60_000, "hour": 3_600_000}
_WINDOW = re.compile(r"(\d+) (minute|hour)s?")


@dataclass(frozen=True)
class Step:
    """One step: an event of this name, or the view of this page."""

    name: str
    event: str | None = None
    page: str | None = None

    def places(self, events: Iterable[Event]) -> list[int]:
        """Which of the events are this step."""
        if self.event is not None:
            kind, name = "track", self.event
            return [n for n, event in enumerate(events) if event.event_name == name and event.event_type == kind]
        kind, page = "page", self.page
        return [n for n, event in enumerate(events) if event.page_path == page and event.event_type == kind]


@dataclass(frozen=True)
class Funnel:
    """Ordered steps that have to be taken within ``window`` milliseconds of the first."""

    name: str
    steps: tuple[Step, ...]
    window: int


class FunnelStep(NamedTuple):
    """A row of ``funnels``, behind its funnel and day."""

    step: int
    name: str
    visitors: int
    conversion: float
    """Share of the first step's visitors who took this one."""
    median_seconds: float | None
    """From the step before; None for the first."""


def load(path: Path = FILE) -> tuple[Funnel, ...]:
    """The funnels of a file.

    Raises:
        ClicktrailError: it cannot be read or says something that is no funnel.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))["funnel"]
        funnels = tuple(_funnel(table) for table in tables)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClicktrailError(
            f"{path.name} cannot be used: {error}. Its first lines show how a funnel is written"
        ) from error
    if len({funnel.name for funnel in funnels}) != len(funnels):
        raise ClicktrailError(f"{path.name} has two funnels of one name; give each its own")
    return funnels


def _funnel(table: Mapping[str, Any]) -> Funnel:
    window = _WINDOW.fullmatch(table["window"])
    if window is None:
        raise ValueError(f"window must read like '1 hour' or '30 minutes', not {table['window']!r}")
    milliseconds = int(window[1]) * _UNITS[window[2]]
    if not 0 < milliseconds <= DAY:
        raise ValueError("window must be between 1 minute and 24 hours")
    steps = tuple(Step(step["name"], step.get("event"), step.get("page")) for step in table["steps"])
    if not steps or any((step.event is None) == (step.page is None) for step in steps):
        raise ValueError("each step needs a name and either an event or a page")
    return Funnel(table["name"], steps, milliseconds)


def tries(events: Iterable[Event], funnel: Funnel) -> dict[date, list[int]]:
    """How far a visitor got, by the day of entry: milliseconds from the step before for each step taken, first 0."""
    ordered = sorted([event for event in events if not event.is_bot], key=place)
    entries = funnel.steps[0].places(ordered)
    if not entries:
        return {}
    later = [step.places(ordered) for step in funnel.steps[1:]]
    best: dict[date, list[int]] = {}
    for entry in entries:
        taken = _walk(entry, ordered, later, funnel.window)
        day = day_of(ordered[entry].time)
        if day not in best or len(taken) > len(best[day]):
            best[day] = taken
    return best


def _walk(entry: int, ordered: Sequence[Event], later: Sequence[Sequence[int]], window: int) -> list[int]:
    taken, at = [0], entry
    for step in later:
        after = bisect_right(step, at)
        if after == len(step) or ordered[step[after]].time - ordered[entry].time > window:
            break
        taken.append(ordered[step[after]].time - ordered[at].time)
        at = step[after]
    return taken


def steps(funnel: Funnel, visitors: Iterable[Sequence[int]]) -> list[FunnelStep]:
    """The rows of a funnel's day from its visitors' best :func:`tries`."""
    taken: list[list[int]] = [[] for _ in funnel.steps]
    for times in visitors:
        for number, time in enumerate(times[: len(taken)]):
            taken[number].append(time)
    entered = len(taken[0])
    return [
        FunnelStep(
            number + 1,
            step.name,
            len(times),
            round(len(times) / entered, 6) if entered else 0.0,
            round(median(times) / 1000, 3) if number and times else None,
        )
        for number, (step, times) in enumerate(zip(funnel.steps, taken, strict=True))
    ]
