from __future__ import annotations

import json
from datetime import date

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from clicktrail.events import FIELD_NAMES
from clicktrail.job import records
from clicktrail.job.decode import MAX_KEY_BYTES, decode
from tests.samples import BAD, TEXTS, value, weird
from tests.spark.kafka_rows import NOW, Raw, collected, decoded


def test_one_row_in_one_row_out(spark: SparkSession) -> None:
    """All samples in one go: each row is what the plain function makes of it."""
    values = [bad.value for bad in BAD] + [weird(name) for name in TEXTS] + [value(messageId="last")]
    raw = [Raw(content, offset, partition=offset % 3) for offset, content in enumerate(values)]
    rows = {row["source_offset"]: row for row in collected(decoded(spark, *raw))}
    assert sorted(rows) == list(range(len(values)))
    for record in raw:
        row = rows[record.offset]
        plain = decode(record.value, record.key, NOW, "clicks", record.partition, record.offset)
        assert (row["reason"], row["detail"]) == (plain.reason, plain.detail)
        assert row["source_topic"] == "clicks"
        assert row["source_partition"] == record.partition
        assert row["received_at"] == NOW
        assert row["record_key"] == b"u-1"
        assert row["timestamp_type"] == 1
        assert row["record_value"] == (record.value if plain.reason else plain.json)
        for name in ("user_id", "event_id", "event_time", "page_title", "properties", "price", "quantity"):
            assert row[name] == (plain.fields or {}).get(name), name
    assert rows[len(values) - 1]["day"] == date(2024, 5, 1)
    assert {row["reason"] for row in rows.values()} == {None, *(bad.reason.value for bad in BAD)}


def test_values_keep_their_types(spark: SparkSession) -> None:
    (row,) = collected(decoded(spark, Raw(value(), 1_234, received_at=NOW + 1)))
    assert row["event_time"] == 1_714_557_630_123
    assert row["sent_at"] == 1_714_557_631_000
    assert row["received_at"] == NOW + 1
    assert row["write_time"] == (NOW + 1) * 1_000 + 234
    assert (row["price"], row["quantity"], row["is_bot"]) == (12.5, 2, False)
    parsed = json.loads(row["record_value"])
    assert parsed["event_time"] == "2024-05-01T10:00:30.123Z"
    assert set(parsed) == {name for name in FIELD_NAMES if row[name] is not None}


def test_no_record_no_row(spark: SparkSession) -> None:
    assert decoded(spark).count() == 0


def batch(value: bytes | None, key: bytes | None) -> pa.RecordBatch:
    columns = {
        "key": pa.array([key], pa.binary()),
        "value": pa.array([value], pa.binary()),
        "topic": pa.array(["clicks"]),
        "partition": pa.array([0], pa.int32()),
        "offset": pa.array([5], pa.int64()),
        "timestamp": pa.array([NOW * 1_000], pa.timestamp("us", tz="UTC")),
        "timestampType": pa.array([1], pa.int32()),
    }
    return pa.RecordBatch.from_pydict(columns)


@pytest.mark.parametrize(
    ("content", "key", "kept", "kept_key"),
    [
        (b"x" * 5_000, b"k", b"x" * 2_000, b"k"),
        (b"x" * 10, b"k" * 100_000, b"x" * 10, b"k" * MAX_KEY_BYTES),
        (None, b"k" * 100_000, None, b"k" * MAX_KEY_BYTES),
        (b"x" * 1_990, b"k" * 10, b"x" * 1_990, b"k" * 10),
        (b"x" * 2_001, None, b"x" * 2_000, None),
    ],
)
def test_record_over_the_limit_is_cut_to_it(
    content: bytes | None, key: bytes | None, kept: bytes | None, kept_key: bytes | None
) -> None:
    """A batch that was compressed holds records that are larger than what the sinks take."""
    (row,) = records.decode_batch(batch(content, key), 2_000).to_pylist()
    assert row["reason"] == ("not_json" if content == kept and key == kept_key else "record_too_large")
    assert row["record_value"] == kept
    assert row["record_key"] == kept_key


def test_later_records_of_one_millisecond_have_later_write_times() -> None:
    assert records.write_time(NOW, 7) < records.write_time(NOW, 8) < records.write_time(NOW + 1, 7)
    assert records.write_time(NOW, 10**12 + 999) < records.write_time(NOW + 1, 0)
