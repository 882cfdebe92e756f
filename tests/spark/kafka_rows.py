"""DataFrames of raw records, as Spark's Kafka source gives them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import types as T

from clicktrail.job.records import with_decoded
from tests.raw import LIMIT, Raw

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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


def plain(row: Row) -> dict[str, Any]:
    """A row with bytes as bytes."""
    return {name: bytes(cell) if isinstance(cell, bytearray) else cell for name, cell in row.asDict().items()}
