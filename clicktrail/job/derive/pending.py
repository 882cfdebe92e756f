"""Notes of what has to be made anew, written before the events that are the reason: a crash in between loses nothing.

``refresh_pending`` holds them by kind: ``visitor`` (a visitor's day), ``claims`` (the same, with identify or alias
calls), ``identity`` (an id whose owner may change, and an owner) and ``page`` (a page's five minutes).
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from clicktrail.job.derive.cql import Cql, Write, insert
from clicktrail.job.page_calls import PageMinute
from clicktrail.job.times import MILLISECONDS_A_DAY

TABLE = "refresh_pending"
SHARDS = 16
VISITOR, CLAIMS, IDENTITY, PAGE = "visitor", "claims", "identity", "page"
_EPOCH = datetime(1970, 1, 1)
_COLUMNS = ("shard", "kind", "name", "path", "moment")


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
            elif kind == IDENTITY:
                found.identities[name] |= {path} - {""}
            else:
                found.visitors[name].add(moment.date())
                if kind == CLAIMS:
                    found.claims[name].add(moment.date())
    return found


def visitor_note(user_id: str, day: int, write_time: int, *, claims: bool) -> Write:
    """Note a visitor's day (days since 1970); ``claims``: with identify or alias calls."""
    shard = _shard(user_id)
    values = (shard, CLAIMS if claims else VISITOR, user_id, "", day * MILLISECONDS_A_DAY, write_time)
    return Write((TABLE, shard), insert(TABLE, _COLUMNS), values)


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
    delete = f"DELETE FROM {TABLE} USING TIMESTAMP ? WHERE shard = ?"
    cql.write(Write((TABLE, shard), delete, (write_time, shard)) for shard in range(SHARDS))
