"""Notes of what has to be made anew, written before the events that are the reason: a crash in between loses nothing.

``refresh_pending`` holds them by kind: ``identity`` (an id whose owner may change, and an owner) and ``page`` (a page's
five minutes). Visitors' days, which are many, are in ``visitors_pending``, a thousand in a row: where each event is
another visitor's, a row each would be as much work for the store as the events.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import orjson

from clicktrail.job.derive.cql import Cql, Write, chunks, insert
from clicktrail.job.derive.event import day_of
from clicktrail.job.page_calls import PageMinute, part
from clicktrail.job.times import as_date

TABLE = "refresh_pending"
SHARDS = 16
IDENTITY, PAGE = "identity", "page"
_EPOCH = datetime(1970, 1, 1)
_COLUMNS = ("shard", "kind", "name", "path", "moment")
VISITORS_TABLE = "visitors_pending"
_VISITORS_COLUMNS = ("shard", "chunk", "part", "day", "claims", "visitors")
_VISITORS_A_ROW = 1_000
"""Bounds a row: a megabyte of the longest ids, some 30 kB of usual ones."""
_ROWS_AT_ONCE = 50


class PageSpan(NamedTuple):
    """Five minutes of a page; ``start`` in UTC without zone, as the driver gives it."""

    site: str
    page_path: str
    start: datetime


@dataclass
class Pending:
    """What has to be made anew."""

    visitors: dict[str, set[date]] = field(default_factory=lambda: defaultdict(set))
    claims: dict[str, set[date]] = field(default_factory=lambda: defaultdict(set))
    identities: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Ids whose owner changes, with the owners that they had or were to get when it was noted."""
    pages: set[PageSpan] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.visitors or self.claims or self.identities or self.pages)

    def parts(self, visitors: int) -> Iterator[Pending]:
        """The same in pieces of at most so many visitors, without the pages; one piece at least."""
        names = sorted(self.visitors)
        for start in range(0, max(len(names), 1), visitors):
            some = names[start : start + visitors]
            yield Pending(
                {name: self.visitors[name] for name in some},
                {name: self.claims[name] for name in some if name in self.claims},
                {} if start else self.identities,
            )


def five_minutes(moment: datetime) -> datetime:
    """The beginning of the five minutes that a moment is in."""
    return moment.replace(minute=moment.minute // 5 * 5, second=0, microsecond=0)


def span_of(page: PageMinute) -> PageSpan:
    """The five minutes that a page's minute is in."""
    seconds = page.minute // 1_000
    return PageSpan(page.site, page.page_path, _EPOCH + timedelta(seconds=seconds - seconds % 300))


def read(cql: Cql) -> Pending:
    """All notes."""
    found = Pending()
    select = f"SELECT kind, name, path, moment FROM {TABLE} WHERE shard = ?"
    for rows in cql.read(select, [(shard,) for shard in range(SHARDS)]):
        for kind, name, path, moment in rows:
            if kind == PAGE:
                found.pages.add(PageSpan(name, path, moment))
            else:
                found.identities[name] |= {path} - {""}
    select = f"SELECT to_unix_timestamp(day), claims, visitors FROM {VISITORS_TABLE} WHERE shard = ?"
    for midnight, claims, visitors in cql.stream(select, [(shard,) for shard in range(SHARDS)], _ROWS_AT_ONCE):
        day = day_of(midnight)
        for user_id in orjson.loads(visitors):
            found.visitors[user_id].add(day)
            if claims:
                found.claims[user_id].add(day)
    return found


def visitor_notes(touched: Iterable[tuple[str, int, bool]], write_time: int, share: int) -> Iterator[Write]:
    """Note the visitors' days that a share of a batch touches.

    Args:
        touched: visitor, day (days since 1970), whether identify or alias calls are among the calls.
        write_time: no other batch has the same.
        share: see ``page_calls.part``.
    """
    visitors: dict[tuple[int, bool], list[str]] = defaultdict(list)
    for user_id, day, claims in touched:
        visitors[day, claims].append(user_id)
    rows = [(*key, some) for key, ids in visitors.items() for some in chunks(ids, _VISITORS_A_ROW)]
    for number, (day, claims, some) in enumerate(rows):
        shard = (write_time + share + number) % SHARDS
        values = (shard, write_time, part(share, number), as_date(day), claims, orjson.dumps(some).decode(), write_time)
        yield Write((VISITORS_TABLE, shard), insert(VISITORS_TABLE, _VISITORS_COLUMNS), values)


def note_pages(cql: Cql, spans: Iterable[PageSpan], write_time: int) -> None:
    """Note five minutes of pages."""
    cql.write(
        Write((TABLE, shard), insert(TABLE, _COLUMNS), (shard, PAGE, *span, write_time))
        for span in spans
        for shard in [_shard(span.site)]
    )


def note_identities(cql: Cql, owners: Iterable[tuple[str, str]], write_time: int) -> None:
    """Note ids whose owner may change, each with an owner it may have been entered for, or an empty text."""
    nowhen = datetime(2000, 1, 1, tzinfo=UTC)
    cql.write(
        Write((TABLE, shard), insert(TABLE, _COLUMNS), (shard, IDENTITY, one, owner, nowhen, write_time))
        for one, owner in owners
        for shard in [_shard(one)]
    )


def _shard(name: str) -> int:
    return zlib.crc32(name.encode()) % SHARDS


def clear(cql: Cql, write_time: int) -> None:
    """Remove the notes up to ``write_time``."""
    cql.write(
        Write((table, shard), f"DELETE FROM {table} USING TIMESTAMP ? WHERE shard = ?", (write_time, shard))
        for table in (TABLE, VISITORS_TABLE)
        for shard in range(SHARDS)
    )
