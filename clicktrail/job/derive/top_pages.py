"""``top_pages``: the most viewed pages of each site, by five minutes, hour and day, crawlers' views left out."""

from __future__ import annotations

import heapq
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

from clicktrail.job.derive.cql import Cql, Write, chunks, insert
from clicktrail.job.derive.pending import PageSpan, five_minutes

RANKS = 100
DAY_SHARDS = 16
HOUR_SHARDS = 4
_AT_ONCE = 1_000
_DAYS_AT_ONCE = 20
_METRICS = "SELECT minute, views, bot_views FROM page_metrics WHERE site = ? AND page_path = ? AND day = ?"
_OF_HOUR = insert("page_counts_by_hour", ("site", "hour", "shard", "page_path", "start", "views"))
_NOT_OF_HOUR = (
    "DELETE FROM page_counts_by_hour USING TIMESTAMP ? "
    "WHERE site = ? AND hour = ? AND shard = ? AND page_path = ? AND start = ?"
)
_OF_DAY = insert("page_counts_by_day", ("site", "day", "shard", "page_path", "views"))
_NOT_OF_DAY = (
    "DELETE FROM page_counts_by_day USING TIMESTAMP ? WHERE site = ? AND day = ? AND shard = ? AND page_path = ?"
)
_RANK = insert("top_pages", ("site", "bucket", "rank", "page_path", "views"))
_NO_RANKS = "DELETE FROM top_pages USING TIMESTAMP ? WHERE site = ? AND bucket = ?"

Hour = tuple[str, datetime]
"""Of a site."""


def ranked(views: Mapping[str, int]) -> list[tuple[int, str, int]]:
    """Rank, path and views of the most viewed pages; ties by path."""
    best = heapq.nsmallest(RANKS, ((-count, path) for path, count in views.items() if count > 0))
    return [(rank, path, -count) for rank, (count, path) in enumerate(best, 1)]


def bucket_of_five_minutes(start: datetime) -> str:
    """Names five minutes in ``top_pages``."""
    return f"5min {start:%Y-%m-%dT%H:%M}"


def bucket_of_hour(start: datetime) -> str:
    """Names an hour in ``top_pages``."""
    return f"hour {start:%Y-%m-%dT%H}"


def bucket_of_day(day: date) -> str:
    """Names a day in ``top_pages``."""
    return f"day {day:%Y-%m-%d}"


def refresh(cql: Cql, spans: Iterable[PageSpan], write_time: int) -> None:
    """Rank the buckets of these pages' five minutes anew."""
    starts: dict[tuple[str, str, date], set[datetime]] = defaultdict(set)
    for span in spans:
        starts[span.site, span.page_path, span.start.date()].add(span.start)
    pages = list(starts)
    for some in chunks(pages, _AT_ONCE):
        writes: list[Write] = []
        for page, rows in zip(some, cql.read(_METRICS, some), strict=True):
            views: Counter[datetime] = Counter()
            for minute, seen, by_bots in rows:
                views[five_minutes(minute)] += seen - (by_bots or 0)
            writes += _counts(page, starts[page], views, write_time)
        cql.write(writes)
    _rank_hours(cql, starts, write_time)
    _rank_days(cql, {(site, day) for site, _, day in pages}, write_time)


def _counts(
    page: tuple[str, str, date], starts: Iterable[datetime], views: Counter[datetime], write_time: int
) -> Iterator[Write]:
    site, path, day = page
    number = zlib.crc32(path.encode())
    for start in starts:
        key = (site, start.replace(minute=0), number % HOUR_SHARDS)
        partition = ("page_counts_by_hour", *key)
        if views[start] > 0:
            yield Write(partition, _OF_HOUR, (*key, path, start, views[start], write_time))
        else:
            yield Write(partition, _NOT_OF_HOUR, (write_time, *key, path, start))
    of_day = (site, day, number % DAY_SHARDS)
    total = sum(views.values())
    if total > 0:
        yield Write(("page_counts_by_day", *of_day), _OF_DAY, (*of_day, path, total, write_time))
    else:
        yield Write(("page_counts_by_day", *of_day), _NOT_OF_DAY, (write_time, *of_day, path))


def _rank_hours(cql: Cql, starts: Mapping[tuple[str, str, date], Iterable[datetime]], write_time: int) -> None:
    touched: dict[Hour, set[datetime]] = defaultdict(set)
    for (site, _, _), times in starts.items():
        for start in times:
            touched[site, start.replace(minute=0)].add(start)
    for hours in chunks(sorted(touched), _AT_ONCE // HOUR_SHARDS):
        cql.write(_hours(cql, hours, touched, write_time))


def _hours(
    cql: Cql,
    hours: Sequence[tuple[str, datetime]],
    touched: Mapping[tuple[str, datetime], set[datetime]],
    write_time: int,
) -> Iterator[Write]:
    select = "SELECT page_path, start, views FROM page_counts_by_hour WHERE site = ? AND hour = ? AND shard = ?"
    found = cql.read(select, [(*hour, shard) for hour in hours for shard in range(HOUR_SHARDS)])
    for number, (site, hour) in enumerate(hours):
        whole: Counter[str] = Counter()
        by_start: dict[datetime, Counter[str]] = defaultdict(Counter)
        for rows in found[number * HOUR_SHARDS : (number + 1) * HOUR_SHARDS]:
            for path, start, views in rows:
                whole[path] += views
                by_start[start][path] += views
        yield from _ranks(site, bucket_of_hour(hour), whole, write_time)
        for start in touched[site, hour]:
            yield from _ranks(site, bucket_of_five_minutes(start), by_start[start], write_time)


def _rank_days(cql: Cql, days: Iterable[tuple[str, date]], write_time: int) -> None:
    select = "SELECT page_path, views FROM page_counts_by_day WHERE site = ? AND day = ? AND shard = ?"
    for some in chunks(sorted(days), _DAYS_AT_ONCE):
        found = iter(cql.read(select, [(site, day, shard) for site, day in some for shard in range(DAY_SHARDS)]))
        writes: list[Write] = []
        for site, day in some:
            views = {path: count for _ in range(DAY_SHARDS) for path, count in next(found)}
            writes += _ranks(site, bucket_of_day(day), views, write_time)
        cql.write(writes)


def _ranks(site: str, bucket: str, views: Mapping[str, int], write_time: int) -> Iterator[Write]:
    key = ("top_pages", site, bucket)
    yield Write(key, _NO_RANKS, (write_time - 1, site, bucket))
    for rank, path, count in ranked(views):
        yield Write(key, _RANK, (site, bucket, rank, path, count, write_time))
