"""DataFrames of raw records, as Spark's Kafka source gives them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyspark.sql.functions as F
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import types as T

from clicktrail.job.records import with_decoded

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = 1_714_557_635_000  # 2024-05-01T10:00:35Z, five seconds after the sample event
LIMIT = 1_048_576
SCHEMA = T.StructType(
    [
        T.StructField("key", T.BinaryType()),
        T.StructField("value", T.BinaryType()),
        T.StructField("topic", T.StringType()),
        T.StructField("partition", T.IntegerType()),
        T.StructField("offset", T.LongType()),
        T.StructField("timestamp", T.TimestampType()),
        T.StructField("timestampType", T.IntegerType()),
    ]
)


@dataclass(frozen=True)
class Raw:
    """One record; ``received_at`` in milliseconds since 1970."""

    value: bytes | None
    offset: int
    partition: int = 0
    received_at: int = NOW
    key: bytes | None = b"u-1"
    timestamp_type: int = 1


def kafka(spark: SparkSession, *records: Raw) -> DataFrame:
    """The records as Spark's Kafka source gives them."""
    rows = [
        (
            r.key,
            r.value,
            "clicks",
            r.partition,
            r.offset,
            EPOCH + timedelta(milliseconds=r.received_at),
            r.timestamp_type,
        )
        for r in records
    ]
    return spark.createDataFrame(rows, SCHEMA)


def decoded(spark: SparkSession, *records: Raw, limit: int = LIMIT) -> DataFrame:
    """The records, decoded."""
    return with_decoded(kafka(spark, *records), limit)


def collected(frame: DataFrame) -> list[dict[str, Any]]:
    """All rows; times as milliseconds since 1970, bytes as bytes."""
    times = {field.name for field in frame.schema.fields if isinstance(field.dataType, T.TimestampType)}
    columns = [F.unix_millis(name).alias(name) if name in times else F.col(name) for name in frame.columns]
    return [_plain(row) for row in frame.select(*columns).collect()]


def _plain(row: Row) -> dict[str, Any]:
    return {name: bytes(cell) if isinstance(cell, bytearray) else cell for name, cell in row.asDict().items()}
