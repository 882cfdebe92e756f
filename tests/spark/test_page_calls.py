"""Page calls packed into rows, and taken out of them again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyspark.sql.functions as F
import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from clicktrail.job import page_calls

pytestmark = pytest.mark.spark

MINUTE = datetime(2024, 5, 1, 10, 4, tzinfo=UTC)
EVENT = "user_id string, day date, event_type string, site string, page_path string, event_time timestamp, \
event_id string, is_bot boolean, write_time long, source_partition int, source_offset long"


def event(visitor: str, number: int, written: int, path: str = "/", *, bot: bool = False) -> Row:
    at = MINUTE + timedelta(milliseconds=number)
    return Row(
        visitor, at.date(), "page", "a.example", path, at, f"e-{number}", bot, written, number % 3, number * 1_000
    )


def gone(visitor: str, number: int, time: int, path: str = "/") -> Row:
    at = MINUTE + timedelta(milliseconds=number)
    return Row(
        site="a.example", page_path=path, minute=MINUTE, user_id=visitor, event_time=at, event_id=f"e-{number}",
        gone_time=time,
    )  # fmt: skip


def calls(spark: SparkSession, *events: Row) -> DataFrame:
    return page_calls.of(spark.createDataFrame(list(events), EVENT))


def counted(*chunks: DataFrame) -> dict[str, tuple[int, int, int]]:
    rows = chunks[0]
    for more in chunks[1:]:
        rows = rows.unionByName(more)
    stored = rows.withColumnRenamed("calls", "stored_calls")
    found = page_calls.metrics(page_calls.counted(page_calls.there(stored))).collect()
    return {row.page_path: (row.views, row.bot_views, row.visitors) for row in found}


def test_what_is_packed_is_counted_as_it_was(spark: SparkSession) -> None:
    batch = calls(
        spark,
        *(event(f"v-{number % 7}", number, 10**15 + number) for number in range(40)),
        event("crawler", 50, 10**15, bot=True),
        event("v-1", 51, 10**15, "/other"),
    )
    chunks = page_calls.chunks(batch, 5)
    assert counted(chunks) == {"/": (41, 1, 8), "/other": (1, 0, 1)}
    whole = page_calls.metrics(batch.select(*page_calls.COUNTED)).collect()
    assert {row.page_path: (row.views, row.bot_views, row.visitors) for row in whole} == counted(chunks)
    longest = chunks.select(F.max(F.length("calls"))).first()
    assert longest is not None
    assert longest[0] <= 52 * 10  # no row has more calls than its part of the offsets


def test_a_call_that_stands_in_two_rows_is_one(spark: SparkSession) -> None:
    first = page_calls.chunks(calls(spark, event("a", 1, 10), event("b", 2, 11)), 1)
    again = page_calls.chunks(calls(spark, event("a", 1, 10), event("c", 3, 12)), 2)
    assert counted(first, again) == {"/": (3, 0, 3)}


def test_the_latest_content_says_whether_it_is_a_crawler(spark: SparkSession) -> None:
    first = page_calls.chunks(calls(spark, event("a", 1, 10)), 1)
    later = page_calls.chunks(calls(spark, event("a", 1, 20, bot=True)), 2)
    assert counted(first, later) == counted(later, first) == {"/": (1, 1, 1)}


def test_a_call_that_moved_away_is_gone_and_may_come_back(spark: SparkSession) -> None:
    first = page_calls.chunks(calls(spark, event("a", 1, 10), event("b", 2, 10)), 1)
    away = page_calls.chunks(page_calls.taken_away(spark, [gone("a", 1, 10)]), 2)
    back = page_calls.chunks(calls(spark, event("a", 1, 11)), 3)
    assert counted(first, away) == counted(away, first) == {"/": (1, 0, 1)}
    assert counted(first, away, back) == {"/": (2, 0, 2)}


def test_only_what_is_still_there_is_taken_away(spark: SparkSession) -> None:
    first = page_calls.chunks(calls(spark, event("a", 1, 10), event("b", 2, 20)), 1)
    stored = page_calls.there(first.withColumnRenamed("calls", "stored_calls"))
    taken = page_calls.taken_away(spark, [gone("a", 1, 10), gone("b", 2, 19), gone("c", 3, 99)])
    still = page_calls.still_there(taken, stored)
    assert counted(first, page_calls.chunks(still, 2)) == {"/": (1, 0, 1)}
    assert still.count() == 1
