"""What the job does with records, as pure functions from DataFrame to DataFrame.

Nothing here knows of Cassandra, Kafka or a clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyspark.sql.functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def shared_out(decoded: DataFrame, shares: int) -> DataFrame:
    """Decoded records in so many partitions, all of a visitor's in one; dead letters are spread evenly."""
    return decoded.repartition(shares, F.coalesce("user_id", F.col("source_offset").cast("string")))


def reports(out: DataFrame) -> DataFrame:
    """The reports among what came out of the shares (``share.OUT``): ``report``."""
    return out.where(F.col("report").isNotNull()).select("report")


def held(out: DataFrame) -> DataFrame:
    """The events that are still to be stored: ``user_id, event_time, held``."""
    return out.where(F.col("held").isNotNull()).select("user_id", "event_time", "held")


def kafka_records(out: DataFrame, transformed_topic: str, dead_letter_topic: str) -> DataFrame:
    """What came out of the shares as records for Kafka: ``topic, key, value, headers``.

    Of a dead letter these are the original key and bytes; reason, detail and origin are headers.
    """
    origin = [
        _header(name, F.col(name).cast("string")) for name in ("source_topic", "source_partition", "source_offset")
    ]
    of_event = F.array(*origin, _header("event_id", F.col("event_id")))
    received_at = F.col("received_at").cast("string")
    of_dead_letter = F.array(
        _header("reason", F.col("reason")),
        _header("detail", F.col("detail")),
        *origin,
        _header("received_at", received_at),
    )
    is_event = F.col("reason").isNull()
    return out.where(F.col("report").isNull()).select(
        F.when(is_event, transformed_topic).otherwise(dead_letter_topic).alias("topic"),
        F.col("record_key").alias("key"),
        F.col("record_value").alias("value"),
        F.when(is_event, of_event).otherwise(of_dead_letter).alias("headers"),
    )


def _header(name: str, text: Column) -> Column:
    return F.struct(F.lit(name).alias("key"), F.encode(text, "UTF-8").alias("value"))
