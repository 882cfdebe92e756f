"""High-water marks of pages: how far a day's page calls may have been stored. What is newer needs no look-up.

Pages are spread over SHARDS, and a mark is that of a shard: where events come in the order of time, a look at the marks
tells that nearly all minutes of a batch are new. A mark is raised before the counts that it stands for are written; one
that is too high costs look-ups, never correctness.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from clicktrail.job.derive.cql import Cql, Write, insert
from clicktrail.job.page_calls import PageMinute
from clicktrail.job.times import as_date

SHARDS = 64
"""Parts that the pages, and the visitors, of one day are spread over."""
_TABLE = "day_marks"
_KIND = "pages"
_READ = f"SELECT shard, to_unix_timestamp(newest) FROM {_TABLE} WHERE day = ? AND kind = ?"


def shard(*key: str) -> int:
    """The shard of a visitor or page, by what names it."""
    return zlib.crc32("\0".join(key).encode()) % SHARDS


def pass_over(cql: Cql, pages: Iterable[PageMinute]) -> set[PageMinute]:
    """Raise the marks over these minutes; returns those that lay under a mark already."""
    pages = list(pages)
    days = sorted({page.day for page in pages})
    read = cql.read(_READ, [(as_date(day), _KIND) for day in days])
    marks = {(day, number): mark for day, rows in zip(days, read, strict=True) for number, mark in rows}
    places = {page: (page.day, shard(page.site, page.page_path)) for page in pages}
    newest: dict[tuple[int, int], int] = {}
    for page, place in places.items():
        newest[place] = max(newest.get(place, 0), page.minute)
    statement = insert(_TABLE, ("day", "kind", "shard", "newest"))
    cql.write(
        # The moment is the write time, so that a mark never falls.
        Write((_TABLE, day), statement, (as_date(day), _KIND, number, minute, minute * 1_000))
        for (day, number), minute in newest.items()
        if minute > marks.get((day, number), -1)
    )
    return {page for page, place in places.items() if page.minute <= marks.get(place, -1)}
