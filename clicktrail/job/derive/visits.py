"""Sessions and daily parts of many visitors: read their events by key, derive, write."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import orjson

from clicktrail.job.derive import visitor
from clicktrail.job.derive.cql import Cql, Write, insert
from clicktrail.job.derive.event import Event
from clicktrail.job.derive.funnels import Funnel
from clicktrail.job.derive.known import Target, read_events
from clicktrail.job.derive.sessions import Session

SHARDS = 16
"""Partitions that the parts of a day are spread over."""
AT_ONCE = 1_000
"""Visitors whose events are held in memory together."""
_ONE = timedelta(days=1)
_SESSION = insert("sessions_by_user", Session._fields)
_NO_SESSIONS = (
    "DELETE FROM sessions_by_user USING TIMESTAMP ? "
    "WHERE user_id = ? AND month = ? AND session_id >= ? AND session_id < ?"
)
_PART = insert("visitor_parts", ("day", "shard", "user_id", "part"))
_NO_PART = "DELETE FROM visitor_parts USING TIMESTAMP ? WHERE day = ? AND shard = ? AND user_id = ?"


def refresh(cql: Cql, targets: Sequence[Target], funnels: Sequence[Funnel], write_time: int) -> set[date]:
    """Derive the targets' days anew, ``AT_ONCE`` of them at most; returns the days whose sums change."""
    days: set[date] = set()
    writes: list[Write] = []
    for target, events in zip(targets, _load(cql, targets, visitor.reach(funnels)), strict=True):
        days |= events.keys()
        writes += _writes(target.visitor, events, visitor.derive(events, target.visitor, funnels), write_time)
    cql.write(writes)
    return days


def _load(cql: Cql, targets: Sequence[Target], within: int) -> list[dict[date, list[Event]]]:
    """The events of each target by day: of its days, and of all that hang together with them."""
    loaded: list[dict[date, list[Event]]] = [{} for _ in targets]
    wanted: list[set[date]] = [set(target.days) for target in targets]
    missing = [set(target.days) for target in targets]
    while any(missing):
        keys = [(n, one, day) for n, target in enumerate(targets) for day in missing[n] for one in target.ids]
        for n, absent in enumerate(missing):
            loaded[n] |= {day: [] for day in absent}
        found = read_events(cql, [(one, day) for _, one, day in keys])
        for n, one, day in keys:
            loaded[n][day] += found[one, day]
        missing = [visitor.missing_neighbours(days, want, within) for days, want in zip(loaded, wanted, strict=True)]
    return [{day: days[day] for day in want} for days, want in zip(loaded, wanted, strict=True)]


def _writes(name: str, events: dict[date, list[Event]], derived: visitor.Derived, write_time: int) -> Iterator[Write]:
    for month, first, end in _months(visitor.runs(events)):
        values = (write_time - 1, name, month, first.isoformat(), end.isoformat())
        yield Write(("sessions_by_user", name, month), _NO_SESSIONS, values)
    for session in derived.sessions:
        yield Write(("sessions_by_user", name, session.month), _SESSION, (*session, write_time))
    shard = zlib.crc32(name.encode()) % SHARDS
    for day, part in derived.parts.items():
        if part:
            stored = orjson.dumps(part).decode()
            yield Write(("visitor_parts", day, shard), _PART, (day, shard, name, stored, write_time))
        else:
            yield Write(("visitor_parts", day, shard), _NO_PART, (write_time, day, shard, name))


def _months(runs: list[tuple[date, date]]) -> Iterator[tuple[str, date, date]]:
    """Ranges of days cut by month: month, first day, day after the last."""
    for first, last in runs:
        while first <= last:
            next_month = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
            end = min(last + _ONE, next_month)
            yield first.isoformat()[:7], first, end
            first = end
