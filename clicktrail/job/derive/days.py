"""Sums by day: ``traffic_by_day`` and ``funnels``, from the parts of the day's visitors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import orjson

from clicktrail.job.derive import traffic
from clicktrail.job.derive.cql import Cql, Write, chunks, insert
from clicktrail.job.derive.funnels import Funnel, FunnelStep, steps
from clicktrail.job.derive.traffic import Part, Traffic
from clicktrail.job.derive.visits import SHARDS

_AT_ONCE = 10
_TRAFFIC = insert("traffic_by_day", Traffic._fields)
_NO_TRAFFIC = "DELETE FROM traffic_by_day USING TIMESTAMP ? WHERE month = ? AND day = ?"
_STEP = insert("funnels", ("funnel", "day", *FunnelStep._fields))
_NO_FUNNEL = "DELETE FROM funnels USING TIMESTAMP ? WHERE funnel = ? AND day = ?"


def refresh(cql: Cql, days: Iterable[date], funnels: Sequence[Funnel], write_time: int) -> None:
    """Sum these days anew."""
    select = "SELECT part FROM visitor_parts WHERE day = ? AND shard = ?"
    for some in chunks(sorted(days), _AT_ONCE):
        found = iter(cql.read(select, [(day, shard) for day in some for shard in range(SHARDS)]))
        writes: list[Write] = []
        for day in some:
            parts: list[Part] = [orjson.loads(part) for _ in range(SHARDS) for (part,) in next(found)]
            writes += _writes(day, parts, funnels, write_time)
        cql.write(writes)


def _writes(day: date, parts: Sequence[Part], funnels: Sequence[Funnel], write_time: int) -> Iterator[Write]:
    whole = traffic.total(day, parts)
    month = f"{day:%Y-%m}"
    # Whole row first: a collection that is written anew would otherwise keep the keys that it no longer has.
    yield Write(("traffic_by_day", month), _NO_TRAFFIC, (write_time - 1, month, day))
    if whole is not None:
        yield Write(("traffic_by_day", month), _TRAFFIC, (*whole, write_time))
    for funnel in funnels:
        tries = [part["funnels"][funnel.name] for part in parts if funnel.name in part.get("funnels", {})]
        key = ("funnels", funnel.name, day)
        yield Write(key, _NO_FUNNEL, (write_time - 1, funnel.name, day))
        for step in steps(funnel, tries) if tries else ():
            yield Write(key, _STEP, (funnel.name, day, *step, write_time))
