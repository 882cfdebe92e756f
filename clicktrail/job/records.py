"""Kafka's records as Spark reads them, decoded: the Arrow side of :mod:`clicktrail.job.decode`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clicktrail.events import FIELD_NAMES, FIELDS
from clicktrail.job.decode import MAX_KEY_BYTES, Row, decode_row
from clicktrail.job.times import write_time

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

_ARROW = {
    "text": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
}
_NO_FIELDS = (None,) * len(FIELDS)
_FIELD_TYPES = [(field.name, _ARROW[field.kind]) for field in FIELDS]
_MILLISECOND_FIELDS = frozenset(field.name for field in FIELDS if field.kind == "timestamp")
_REQUIRED = frozenset({"source_topic", "source_partition", "source_offset", "received_at"})

RECORD_FIELDS: tuple[tuple[str, Any], ...] = (
    ("write_time", pa.int64()),  # microseconds: what the row's cells carry in Cassandra
    ("timestamp_type", pa.int32()),  # Kafka's: 1 where the broker's clock gave received_at
    ("reason", pa.string()),
    ("detail", pa.string()),
    ("record_key", pa.binary()),
    ("record_value", pa.binary()),  # of an event its JSON, of a dead letter the original bytes
)
SCHEMA = pa.schema([*_FIELD_TYPES, *RECORD_FIELDS])


def spark_schema() -> StructType:
    """The schema of decoded records: the fields of an event, then RECORD_FIELDS; only the origin is never null."""
    from pyspark.sql import types as T

    from clicktrail import events

    fields = [T.StructField(f.name, f.dataType, f.name not in _REQUIRED) for f in events.spark_schema().fields]
    extra = [
        T.StructField("write_time", T.LongType(), False),
        T.StructField("timestamp_type", T.IntegerType(), False),
        T.StructField("reason", T.StringType()),
        T.StructField("detail", T.StringType()),
        T.StructField("record_key", T.BinaryType()),
        T.StructField("record_value", T.BinaryType()),
    ]
    return T.StructType(fields + extra)


def with_decoded(records: DataFrame, max_record_bytes: int) -> DataFrame:
    """Records of Spark's Kafka source, with all of its columns, as decoded records.

    One row in, one row out: with ``reason`` null it is an event, else a dead letter.
    """
    wanted = records.select("key", "value", "topic", "partition", "offset", "timestamp", "timestampType")
    return wanted.mapInArrow(decoder(max_record_bytes), spark_schema())


def decoder(max_record_bytes: int) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The function that Spark runs over Arrow batches."""

    def decode_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield decode_batch(batch, max_record_bytes)

    return decode_batches


def decode_batch(batch: pa.RecordBatch, max_record_bytes: int) -> pa.RecordBatch:
    """Decode one Arrow batch of records."""
    keys, values = batch.column("key").to_pylist(), batch.column("value").to_pylist()
    offsets = batch.column("offset").to_pylist()
    received = [micros // 1_000 for micros in batch.column("timestamp").cast(pa.int64()).to_pylist()]
    topics, partitions = batch.column("topic").to_pylist(), batch.column("partition").to_pylist()
    decoded = [
        decode_row(value, key, moment, topic, partition, offset, max_record_bytes)
        for value, key, moment, topic, partition, offset in zip(
            values, keys, received, topics, partitions, offsets, strict=True
        )
    ]
    rows = [_NO_FIELDS if row is None else row for row, _, _, _ in decoded]
    columns = dict(zip(FIELD_NAMES, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(FIELD_NAMES, ())
    # Where a record came from stands in every row, of a dead letter too.
    columns |= {
        "source_topic": topics,
        "source_partition": partitions,
        "source_offset": offsets,
        "received_at": received,
    }
    arrays = [_column(columns[name], name, kind) for name, kind in _FIELD_TYPES]
    arrays += [
        pa.array(map(write_time, received, offsets), pa.int64(), size=len(offsets)),
        batch.column("timestampType").cast(pa.int32()),
        pa.array([reason for _, _, reason, _ in decoded], pa.string()),
        pa.array([detail for _, _, _, detail in decoded], pa.string()),
        pa.array(_keys(keys, values, max_record_bytes), pa.binary()),
        pa.array(_values(decoded, values, max_record_bytes), pa.binary()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _column(values: Sequence[Any], name: str, kind: pa.DataType) -> pa.Array:
    if name in _MILLISECOND_FIELDS:
        return pa.array(values, pa.timestamp("ms", tz="UTC")).cast(kind)
    if kind == pa.date32():
        return pa.array(values, pa.int32()).cast(kind)
    return pa.array(values, kind)


def _keys(keys: list[bytes | None], values: list[bytes | None], limit: int) -> list[bytes | None]:
    """The records' keys, that of an oversized record cut."""
    return [
        key if key is None or len(key) + len(value or b"") <= limit else key[:MAX_KEY_BYTES]
        for key, value in zip(keys, values, strict=True)
    ]


def _values(decoded: list[Row], originals: list[bytes | None], limit: int) -> list[bytes | None]:
    """An event's JSON, or a dead letter's original bytes.

    A record that was compressed may be far larger than a topic or a table takes: of that the first ``limit`` bytes.
    """
    return [
        text if reason is None else original if original is None else original[:limit]
        for (_, text, reason, _), original in zip(decoded, originals, strict=True)
    ]
