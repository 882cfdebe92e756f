"""What the job does with decoded records, as pure functions from DataFrame to DataFrame.

Decoded records have the columns of ``clicktrail.job.records.spark_schema()``. Nothing here knows of Cassandra, Kafka or
a clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyspark.sql.functions as F
from pyspark.sql import Window

from clicktrail.events import FIELD_NAMES, IDENTITY
from clicktrail.job import marks
from clicktrail.job.times import TOLERANCE

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

LOG_APPEND_TIME = 1
"""Kafka's number for "the timestamp is the broker's"."""
SHARDS = 16
"""Partitions that the dead letters of one hour are spread over."""
PAGE = ("site", "page_path")
GONE_CALL = ("site", "page_path", "minute", "user_id", "event_time", "event_id", "gone_time")
"""A page call to take away; ``gone_time``: the write time (microseconds) that it was, or may have been, stored with."""


def with_copy(decoded: DataFrame, partitions: int) -> DataFrame:
    """Number the copies of an event: ``copy`` 1 is kept, the latest by the broker's clock; dead letters have 1.

    ``moved``: it is a page call, and the copy that is kept is none of the same page.
    The rows come out in ``partitions`` partitions, in each sorted by the key of ``events_by_user_day``: what a batched
    write to Cassandra wants, for the price of the one shuffle that finding the copies needs anyway. ``spread`` is the
    shuffle's key.
    """
    is_event = F.col("reason").isNull()
    spread = F.when(is_event, F.xxhash64("user_id", "day")).otherwise(F.col("source_offset"))
    same = Window.partitionBy("spread", "user_id", "event_time", "event_id").orderBy(
        F.desc("write_time"), F.desc("source_partition"), F.desc("source_offset")
    )
    kept_page = F.first(F.when(is_page_call(), F.xxhash64(*PAGE))).over(same)
    return (
        decoded.withColumn("spread", spread)
        .repartition(partitions, "spread")
        .withColumns({"copy": F.row_number().over(same), "kept_page": kept_page})
        .withColumn("moved", is_event & is_page_call() & ~F.xxhash64(*PAGE).eqNullSafe(F.col("kept_page")))
        .withColumn("copy", F.when(is_event, F.col("copy")).otherwise(F.lit(1)))
        .drop("kept_page")
    )


def events(copies: DataFrame) -> DataFrame:
    """The events to keep: one row an identity."""
    return copies.where(F.col("reason").isNull() & (F.col("copy") == 1))


def dead_letters(copies: DataFrame) -> DataFrame:
    """The rejected records as rows of ``dead_letters``, with their ``write_time``."""
    return copies.where(F.col("reason").isNotNull()).select(
        F.date_trunc("hour", "received_at").alias("hour"),
        (F.col("source_offset") % SHARDS).cast("int").alias("shard"),
        F.col("source_topic").alias("topic"),
        F.col("source_partition").alias("partition"),
        F.col("source_offset").alias("offset"),
        "reason",
        "detail",
        F.col("record_value").alias("original"),
        "record_key",
        "received_at",
        "write_time",
    )


def tally(copies: DataFrame) -> DataFrame:
    """Figures a source partition and reason (null: the events).

    ``records, repeats, moved, late, first_offset, last_offset`` and ``foreign_times``: how many did not get their time
    from the broker.
    """
    late = (F.unix_millis("received_at") - F.unix_millis("event_time")) > TOLERANCE
    return copies.groupBy("source_partition", "reason").agg(
        F.count("*").alias("records"),
        F.sum((F.col("copy") > 1).cast("long")).alias("repeats"),
        F.sum(F.col("moved").cast("long")).alias("moved"),
        F.sum(F.coalesce(late, F.lit(False)).cast("long")).alias("late"),
        F.min("source_offset").alias("first_offset"),
        F.max("source_offset").alias("last_offset"),
        F.sum((F.col("timestamp_type") != LOG_APPEND_TIME).cast("long")).alias("foreign_times"),
    )


def event_rows(kept: DataFrame) -> DataFrame:
    """Events as rows of ``events_by_user_day``, with their ``write_time``."""
    return kept.select(*FIELD_NAMES, "write_time")


def visitor_days(kept: DataFrame) -> DataFrame:
    """The visitors' days in these events: ``user_id, day, shard, oldest, newest, claims``.

    ``claims``: whether an identify or alias call is among them.
    """
    return (
        kept.groupBy("user_id", "day")
        .agg(
            F.min("event_time").alias("oldest"),
            F.max("event_time").alias("newest"),
            F.max(F.col("event_type").isin("identify", "alias")).alias("claims"),
        )
        .withColumn("shard", marks.shard("user_id"))
    )


def is_page_call() -> Column:
    """Whether an event is the view of a page: a page call that says which."""
    return (F.col("event_type") == "page") & F.col("page_path").isNotNull()


def transformed_records(kept: DataFrame) -> DataFrame:
    """Events as records for Kafka: ``key, value, headers``."""
    headers = F.array(*_source_headers(), _header("event_id", F.col("event_id")))
    return kept.select(F.col("record_key").alias("key"), F.col("record_value").alias("value"), headers.alias("headers"))


def dead_letter_records(copies: DataFrame) -> DataFrame:
    """Dead letters as records for Kafka: the original key and bytes; reason, detail and origin are headers."""
    received = F.unix_millis("received_at").cast("string")
    headers = F.array(
        _header("reason", F.col("reason")),
        _header("detail", F.col("detail")),
        *_source_headers(),
        _header("received_at", received),
    )
    return copies.where(F.col("reason").isNotNull()).select(
        F.col("record_key").alias("key"), F.col("record_value").alias("value"), headers.alias("headers")
    )


def _source_headers() -> list[Column]:
    return [_header(name, F.col(name).cast("string")) for name in ("source_topic", "source_partition", "source_offset")]


def _header(name: str, text: Column) -> Column:
    return F.struct(F.lit(name).alias("key"), F.encode(text, "UTF-8").alias("value"))


def with_stored(kept: DataFrame, stored: DataFrame) -> DataFrame:
    """The events that the store knows, beside what it holds of them: ``stored_time`` and the stored fields."""
    return kept.join(stored, list(IDENTITY))


def without_stored(kept: DataFrame, stored: DataFrame) -> DataFrame:
    """The events that the store does not know."""
    return kept.join(stored, list(IDENTITY), "left_anti")


def changed_page_calls(compared: DataFrame) -> DataFrame:
    """Of events beside what is stored of them: those that are now a call of another page, or of a crawler."""
    same = _stays() & F.col("is_bot").eqNullSafe(F.col("stored_is_bot"))
    return compared.where(is_page_call() & ~(_was_call() & same))


def moved_page_calls(compared: DataFrame) -> DataFrame:
    """The stored page calls that newer contents of their events have moved to another page, or to none: GONE_CALL."""
    return compared.where(_was_call() & ~_stays()).select(
        F.col("stored_site").alias("site"),
        F.col("stored_page_path").alias("page_path"),
        F.date_trunc("minute", "event_time").alias("minute"),
        "user_id",
        "event_time",
        "event_id",
        F.col("stored_time").alias("gone_time"),
    )


def _was_call() -> Column:
    return (F.col("stored_event_type") == "page") & F.col("stored_page_path").isNotNull()


def _stays() -> Column:
    same_page = F.col("site").eqNullSafe(F.col("stored_site")) & F.col("page_path").eqNullSafe(
        F.col("stored_page_path")
    )
    return is_page_call() & same_page


def replaced_page_calls(copies: DataFrame) -> DataFrame:
    """The page calls that a later copy in the same batch has moved to another page, or to none: GONE_CALL.

    A batch that crashed after a checkpoint was lost may have written them.
    """
    call = list(GONE_CALL[:-1])
    calls = copies.where(F.col("moved")).withColumn("minute", F.date_trunc("minute", "event_time"))
    return calls.groupBy(*call).agg(F.max("write_time").alias("gone_time"))
