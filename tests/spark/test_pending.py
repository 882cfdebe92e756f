"""The notes of a batch: which visitors' days and which pages' five minutes it touches."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pyspark.sql import Row, SparkSession

from clicktrail.job import page_calls, transforms
from clicktrail.job.derive import pending

pytestmark = pytest.mark.spark


def at(day: int, hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2024, 5, day, hour, minute, second, tzinfo=UTC)


def event(visitor: str, kind: str, at: datetime, path: str | None = None) -> Row:
    return Row(
        user_id=visitor,
        day=at.date(),
        event_type=kind,
        site="a.example",
        page_path=path,
        event_time=at,
        event_id=f"{at}",
        is_bot=False,
        write_time=1,
        source_partition=0,
        source_offset=0,
    )


def test_each_day_of_a_visitor_and_each_five_minutes_of_a_page_are_noted_once(spark: SparkSession) -> None:
    kept = spark.createDataFrame(
        [
            event("ann", "page", at(1, 10, 4, 59), "/"),
            event("ann", "page", at(1, 10, 0), "/"),
            event("ann", "track", at(1, 10, 5), "/"),
            event("ann", "page", at(2, 0, 0), "/"),
            event("bob", "page", at(1, 10, 5), "/"),
            event("bob", "identify", at(1, 10, 6)),
            event("eve", "page", at(1, 10, 6)),
        ],
        "user_id string, day date, event_type string, site string, page_path string, event_time timestamp, "
        "event_id string, is_bot boolean, write_time long, source_partition int, source_offset long",
    )
    rows = pending.notes(transforms.visitor_days(kept), page_calls.of(kept)).collect()
    assert all(0 <= row.shard < pending.SHARDS for row in rows)
    midnight, next_day = at(1, 0, 0), at(2, 0, 0)
    assert sorted(
        (row.kind, row.name, row.path, datetime.fromtimestamp(row.moment.timestamp(), UTC)) for row in rows
    ) == [
        ("claims", "bob", "", midnight),
        ("page", "a.example", "/", at(1, 10, 0)),
        ("page", "a.example", "/", at(1, 10, 5)),
        ("page", "a.example", "/", next_day),
        ("visitor", "ann", "", midnight),
        ("visitor", "ann", "", next_day),
        ("visitor", "eve", "", midnight),
    ]
