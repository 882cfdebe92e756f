"""All that is derived from one visitor's events, for days that hang together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from clicktrail.job.derive import traffic
from clicktrail.job.derive.event import Event, start_of
from clicktrail.job.derive.funnels import Funnel, tries
from clicktrail.job.derive.sessions import SILENCE, Session, sessions
from clicktrail.job.derive.traffic import Part

_ONE = timedelta(days=1)


class Derived(NamedTuple):
    """What a visitor's days come to."""

    sessions: list[Session]
    parts: dict[date, Part]
    """By day; empty for a day without events."""


def reach(funnels: Iterable[Funnel]) -> int:
    """Milliseconds over midnight that tie two days together: the longest wait that anything derived looks over."""
    return max(SILENCE, *(funnel.window for funnel in funnels), 0)


def missing_neighbours(loaded: Mapping[date, Sequence[Event]], days: set[date], within: int) -> set[date]:
    """Widen ``days`` by the loaded days that hang together with them; returns the days to load to know more.

    Args:
        loaded: events by day, each day complete.
        days: the days to derive, all loaded; grows.
        within: milliseconds over midnight that tie two days together (:func:`reach`).
    """
    missing: set[date] = set()
    waiting = list(days)
    while waiting:
        day = waiting.pop()
        for neighbour in (day - _ONE, day + _ONE):
            if neighbour in days or not _looks_over(loaded[day], day, neighbour, within):
                continue
            if neighbour not in loaded:
                missing.add(neighbour)
            elif _tied(loaded[min(day, neighbour)], loaded[max(day, neighbour)], within):
                days.add(neighbour)
                waiting.append(neighbour)
    return missing


def _looks_over(events: Sequence[Event], day: date, neighbour: date, within: int) -> bool:
    """Whether a day's events come close enough to midnight for a tie to the day beside it."""
    if not events:
        return False
    if neighbour < day:
        return min([event.time for event in events]) - start_of(day) < within
    return start_of(neighbour) - max([event.time for event in events]) <= within


def _tied(earlier: Sequence[Event], later: Sequence[Event], within: int) -> bool:
    if not earlier or not later:
        return False
    return min([event.time for event in later]) - max([event.time for event in earlier]) <= within


def derive(events: Mapping[date, Sequence[Event]], visitor: str, funnels: Sequence[Funnel]) -> Derived:
    """Sessions and parts of a visitor for days that :func:`missing_neighbours` found complete.

    Args:
        events: the events of all the visitor's ids, by day.
        visitor: whom they are entered for.
        funnels: the funnels to keep.
    """
    together = [event for day in events.values() for event in day]
    made = sessions(together, visitor)
    by_day: dict[date, list[Session]] = {day: [] for day in events}
    for session in made:
        by_day[session.started_at.date()].append(session)
    parts = {day: traffic.part(events[day], by_day[day]) for day in events}
    for funnel in funnels:
        for day, taken in tries(together, funnel).items():
            parts[day].setdefault("funnels", {})[funnel.name] = taken
    return Derived(made, parts)


def runs(days: Iterable[date]) -> list[tuple[date, date]]:
    """Days as ranges (first, last) without a gap."""
    found: list[tuple[date, date]] = []
    for day in sorted(days):
        if found and day - found[-1][1] == _ONE:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
