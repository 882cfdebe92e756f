from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from clicktrail.job import page_calls, transforms
from tests.samples import AGENT, BOT_AGENT, SITE, event, to_bytes, value
from tests.spark.kafka_rows import NOW, Raw, collected, decoded

MINUTE = 1_714_557_600_000  # 2024-05-01T10:00:00Z, the sample event's minute
HOUR = 3_600_000


def call(path: str | None, agent: str = AGENT, second: int = 30, **changes: Any) -> bytes:
    """A page call of the sample visitor."""
    page = {"url": f"https://{SITE}{path}"} if path else {"title": "nowhere"}
    context = {"page": page, "userAgent": agent}
    return value(**{"context": context, "timestamp": f"2024-05-01T10:0{second // 60}:{second % 60:02d}Z"} | changes)


def copies(spark: SparkSession, *raw: Raw) -> DataFrame:
    return transforms.with_copy(decoded(spark, *raw), 2)


# ---- repeats


def test_latest_copy_of_an_event_is_kept(spark: SparkSession) -> None:
    rows = collected(
        copies(
            spark,
            # the broker's clock decides, not the order of arrival in the batch
            Raw(value(messageId="clock", event="late"), 10, 0, NOW + 9),
            Raw(value(messageId="clock", event="early"), 11, 0, NOW),
            Raw(value(messageId="clock", event="between"), 12, 1, NOW + 5),
            # at the same millisecond the offset does
            Raw(value(messageId="tie", event="first"), 20),
            Raw(value(messageId="tie", event="second"), 21),
            # and where that is the same, the partition
            Raw(value(messageId="twin", event="one"), 30, 1),
            Raw(value(messageId="twin", event="two"), 30, 2),
            # what differs in its identity is another event
            Raw(value(messageId="other", event="a"), 40),
            Raw(value(messageId="other", event="b", timestamp="2024-05-01T10:00:30.124Z"), 41),
            Raw(value(messageId="other", event="c", userId="u-2"), 42),
            # the same moment in another zone is the same event
            Raw(value(messageId="zone", event="a", timestamp="2024-05-01T10:00:30Z"), 50),
            Raw(value(messageId="zone", event="b", timestamp="2024-05-01T12:00:30+02:00"), 51),
            # rejected records are never copies of each other
            Raw(b"nonsense", 60),
            Raw(b"nonsense", 61),
            Raw(None, 62),
        )
    )
    assert {(row["event_id"], row["event_name"]): row["copy"] for row in rows if row["reason"] is None} == {
        ("clock", "late"): 1,
        ("clock", "between"): 2,
        ("clock", "early"): 3,
        ("tie", "second"): 1,
        ("tie", "first"): 2,
        ("twin", "two"): 1,
        ("twin", "one"): 2,
        ("other", "a"): 1,
        ("other", "b"): 1,
        ("other", "c"): 1,
        ("zone", "b"): 1,
        ("zone", "a"): 2,
    }
    rejected = {row["source_offset"]: row["copy"] for row in rows if row["reason"] is not None}
    assert rejected == {60: 1, 61: 1, 62: 1}
    assert len(rows) == 15


def test_events_of_one_visitors_day_come_out_together_and_in_order(spark: SparkSession) -> None:
    raw = [
        Raw(call("/", second=second, userId=f"u-{visitor}", messageId=f"m-{visitor}-{second}"), 100 * visitor + second)
        for visitor in range(6)
        for second in (40, 5, 59, 20)
    ]
    frame = transforms.events(copies(spark, *raw))
    parts = frame.rdd.mapPartitions(lambda rows: [[(r.user_id, r.source_offset % 100) for r in rows]]).collect()
    seen: list[str] = []
    for part in parts:
        visitors = [visitor for visitor, _ in part]
        runs = [visitor for i, visitor in enumerate(visitors) if i == 0 or visitors[i - 1] != visitor]
        assert len(set(runs)) == len(runs)
        seen += runs
        for visitor in runs:
            assert [second for who, second in part if who == visitor] == [5, 20, 40, 59]
    assert sorted(seen) == [f"u-{n}" for n in range(6)]


# ---- dead letters and figures


def test_dead_letters_as_rows_and_as_records(spark: SparkSession) -> None:
    raw = [Raw(b"\xff\x00", 35, 2, NOW, key=None), Raw(None, 16, 1, NOW + HOUR, key=b"\xfe"), Raw(value(), 1)]
    both = copies(spark, *raw).persist()
    rows = sorted(collected(transforms.dead_letters(both)), key=lambda row: row["partition"])
    assert rows == [
        {
            "hour": MINUTE + HOUR,
            "shard": 0,
            "topic": "clicks",
            "partition": 1,
            "offset": 16,
            "reason": "null_value",
            "detail": "the record has no value",
            "original": None,
            "record_key": b"\xfe",
            "received_at": NOW + HOUR,
            "write_time": (NOW + HOUR) * 1_000 + 16,
        },
        {
            "hour": MINUTE,
            "shard": 3,
            "topic": "clicks",
            "partition": 2,
            "offset": 35,
            "reason": "invalid_utf8",
            "detail": "not UTF-8 at byte 0",
            "original": b"\xff\x00",
            "record_key": None,
            "received_at": NOW,
            "write_time": NOW * 1_000 + 35,
        },
    ]
    records = {row["key"]: row for row in collected(transforms.dead_letter_records(both))}
    assert records.keys() == {None, b"\xfe"}
    assert records[None]["value"] == b"\xff\x00"
    assert records[b"\xfe"]["value"] is None
    assert _headers(records[None]) == {
        "reason": b"invalid_utf8",
        "detail": b"not UTF-8 at byte 0",
        "source_topic": b"clicks",
        "source_partition": b"2",
        "source_offset": b"35",
        "received_at": str(NOW).encode(),
    }


def test_transformed_records_have_the_same_key_and_say_where_they_are_from(spark: SparkSession) -> None:
    kept = transforms.events(copies(spark, Raw(value(messageId="é🛒"), 35, 2, key=b"a key"), Raw(b"x", 36)))
    (record,) = collected(transforms.transformed_records(kept))
    assert record["key"] == b"a key"
    assert '"event_id":"é🛒"'.encode() in record["value"]
    assert _headers(record) == {
        "source_topic": b"clicks",
        "source_partition": b"2",
        "source_offset": b"35",
        "event_id": "é🛒".encode(),
    }


def _headers(record: dict[str, Any]) -> dict[str, bytes]:
    assert len({header.key for header in record["headers"]}) == len(record["headers"])
    return {header.key: bytes(header.value) for header in record["headers"]}


def test_tally(spark: SparkSession) -> None:
    moment = 1_714_557_630_123  # the sample's event_time
    rows = collected(
        transforms.tally(
            copies(
                spark,
                Raw(value(messageId="a"), 5),
                Raw(value(messageId="a"), 9),
                Raw(value(messageId="b"), 7, received_at=moment + HOUR),
                Raw(value(messageId="c"), 8, received_at=moment + HOUR + 1),
                Raw(value(messageId="c"), 4, received_at=moment + HOUR + 2),
                Raw(b"{", 3),
                Raw(b"[", 6),
                Raw(None, 12, timestamp_type=0),
                Raw(value(messageId="a"), 1, 1),
            )
        )
    )
    figures = {
        (row["source_partition"], row["reason"]): (
            row["records"],
            row["repeats"],
            row["late"],
            row["first_offset"],
            row["last_offset"],
            row["foreign_times"],
        )
        for row in rows
    }
    assert figures == {
        (0, None): (5, 2, 2, 4, 9, 0),  # of the three copies of "a" the one of partition 0 at offset 9 is kept
        (0, "truncated_json"): (2, 0, 0, 3, 6, 0),
        (0, "null_value"): (1, 0, 0, 12, 12, 1),
        (1, None): (1, 1, 0, 1, 1, 0),
    }


# ---- pages


def test_page_metrics_count_calls_crawlers_and_visitors(spark: SparkSession) -> None:
    raw = [
        Raw(call("/a", messageId="1"), 1),
        Raw(call("/a", messageId="2", second=59), 2),
        Raw(call("/a", messageId="2", second=59), 3),  # a repeat
        Raw(call("/a", messageId="3", userId="u-2"), 4),
        Raw(call("/a", BOT_AGENT, messageId="4", userId="bot"), 5),
        Raw(call("/a", messageId="5", second=60), 6),  # the next minute
        Raw(call("/b?x=1", messageId="6"), 7),
        Raw(call("/a", messageId="7", type="track", event="Product Viewed"), 8),
        Raw(call(None, messageId="8"), 9),
        Raw(value(messageId="9", context={"page": {"path": "/a"}}), 10),
        Raw(b"x", 11),
    ]
    calls = page_calls.of(transforms.events(copies(spark, *raw)))
    rows = collected(page_calls.metrics(calls))
    assert {(r["site"], r["page_path"], r["minute"]): (r["views"], r["bot_views"], r["visitors"]) for r in rows} == {
        (SITE, "/a", MINUTE): (4, 1, 3),
        (SITE, "/a", MINUTE + 60_000): (1, 0, 1),
        (SITE, "/b", MINUTE): (1, 0, 1),
        ("unknown", "/a", MINUTE): (1, 0, 1),
    }


def test_visitors_days(spark: SparkSession) -> None:
    raw = [
        Raw(call("/", messageId=str(n), userId=user, timestamp=timestamp), n)
        for n, (user, timestamp) in enumerate(
            [
                ("u-1", "2024-05-01T00:00:00Z"),
                ("u-1", "2024-04-30T23:59:59.999Z"),
                ("u-1", "2024-05-01T09:00:00.007Z"),
                ("u-2", "2024-05-01T01:00:00+02:00"),
            ]
        )
    ]
    rows = collected(transforms.visitor_days(transforms.events(copies(spark, *raw))))
    midnight = 1_714_521_600_000
    assert {(r["user_id"], r["day"]): (r["oldest"], r["newest"]) for r in rows} == {
        ("u-1", date(2024, 5, 1)): (midnight, midnight + 9 * HOUR + 7),
        ("u-1", date(2024, 4, 30)): (midnight - 1, midnight - 1),
        ("u-2", date(2024, 4, 30)): (midnight - HOUR, midnight - HOUR),
    }


def test_page_calls_that_a_later_copy_of_the_batch_replaces(spark: SparkSession) -> None:
    raw = [
        Raw(call("/old", messageId="moved"), 1, 0, NOW),
        Raw(call("/older", messageId="moved"), 2, 0, NOW - 5),
        Raw(call("/new", messageId="moved"), 3, 0, NOW + 5),
        Raw(call("/gone", messageId="no page now"), 4, 0, NOW),
        Raw(call(None, messageId="no page now"), 5, 0, NOW + 5),
        Raw(call("/typed", messageId="no call now"), 6, 0, NOW),
        Raw(call("/typed", messageId="no call now", type="track"), 7, 0, NOW + 5),
        Raw(call("/same", messageId="stays"), 8, 0, NOW),
        Raw(call("/same", messageId="stays", event="other"), 9, 0, NOW + 5),
        Raw(call("/back", messageId="there and back"), 10, 0, NOW),
        Raw(call("/there", messageId="there and back"), 11, 0, NOW + 1),
        Raw(call("/back", messageId="there and back"), 12, 0, NOW + 2),
        Raw(call("/person", AGENT, messageId="found out"), 13, 0, NOW),
        Raw(call("/person", BOT_AGENT, messageId="found out"), 14, 0, NOW + 5),
    ]
    rows = collected(transforms.replaced_page_calls(copies(spark, *raw)))
    gone = {(row["event_id"], row["page_path"]): row["gone_time"] for row in rows}
    assert gone == {
        ("moved", "/old"): NOW * 1_000 + 1,
        ("moved", "/older"): (NOW - 5) * 1_000 + 2,
        ("no page now", "/gone"): NOW * 1_000 + 4,
        ("no call now", "/typed"): NOW * 1_000 + 6,
        ("there and back", "/there"): (NOW + 1) * 1_000 + 11,
    }
    assert {(row["site"], row["minute"], row["user_id"]) for row in rows} == {(SITE, MINUTE, "u-1")}


STORED = "user_id string, day date, event_time timestamp, event_id string, stored_time long, stored_event_type string, \
stored_site string, stored_page_path string, stored_is_bot boolean"


def test_page_calls_that_move_away_from_what_is_stored(spark: SparkSession) -> None:
    raw = [
        Raw(call("/new", messageId="moved"), 1),
        Raw(call("/same", messageId="stays"), 2),
        Raw(call(None, messageId="no page now"), 3),
        Raw(call("/now", messageId="had no page"), 4),
        Raw(call("/now", messageId="was no page call"), 5),
        Raw(call("/x", messageId="no call now", type="track"), 6),
        Raw(call("/x", messageId="other site"), 7),
        Raw(call("/x", messageId="new event"), 8),
        Raw(call("/same", messageId="was a crawler"), 9),
    ]
    kept = transforms.events(copies(spark, *raw)).persist()
    stored_calls = {
        "moved": ("page", SITE, "/old"),
        "stays": ("page", SITE, "/same"),
        "no page now": ("page", SITE, "/y"),
        "had no page": ("page", None, None),
        "was no page call": ("track", SITE, "/now"),
        "no call now": ("page", SITE, "/x"),
        "other site": ("page", "elsewhere.example", "/x"),
        "was a crawler": ("page", SITE, "/same"),
    }
    identities = {row.event_id: row for row in kept.select("user_id", "day", "event_time", "event_id").collect()}
    stored = spark.createDataFrame(
        [
            (*identities[name], 100 + n, *content, name == "was a crawler")
            for n, (name, content) in enumerate(stored_calls.items())
        ],
        STORED,
    )
    compared = transforms.with_stored(kept, stored).persist()
    assert {row["event_id"]: row["stored_time"] for row in collected(compared)} == {
        name: 100 + n for n, name in enumerate(stored_calls)
    }
    assert [row["event_id"] for row in collected(transforms.without_stored(kept, stored))] == ["new event"]
    rows = collected(transforms.moved_page_calls(compared))
    assert {(r["event_id"], r["site"], r["page_path"], r["minute"], r["gone_time"]) for r in rows} == {
        ("moved", SITE, "/old", MINUTE, 100),
        ("no page now", SITE, "/y", MINUTE, 102),
        ("no call now", SITE, "/x", MINUTE, 105),
        ("other site", "elsewhere.example", "/x", MINUTE, 106),
    }
    changed = collected(transforms.changed_page_calls(compared))
    assert {r["event_id"] for r in changed} == {
        *("moved", "had no page", "was no page call", "other site", "was a crawler"),
    }


@pytest.mark.parametrize("field", ["site", "page_path"])
def test_event_without_a_page_has_neither_site_nor_path(spark: SparkSession, field: str) -> None:
    (row,) = collected(decoded(spark, Raw(to_bytes(event(context=...)), 1)))
    assert row[field] is None
