"""What the job does with decoded records, as pure functions from DataFrame to DataFrame.

Decoded records have the columns of ``clicktrail.job.records.spark_schema()``. Nothing here knows of Cassandra, Kafka or
a clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyspark.sql.functions as F
from pyspark.sql import Window

from clicktrail.events import FIELD_NAMES, IDENTITY
from clicktrail.job.times import TOLERANCE

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

LOG_APPEND_TIME = 1
"""Kafka's number for "the timestamp is the broker's"."""
SHARDS = 16
"""Partitions that the dead letters of one hour are spread over."""
PAGE = ("site", "page_path")
PAGE_CALL = ("site", "page_path", "hour", "minute", "user_id", "event_time", "event_id", "is_bot")
"""A page call as ``page_views`` keeps it."""
GONE_CALL = ("site", "page_path", "hour", "minute", "user_id", "event_time", "event_id", "gone_time")
"""A page call to take away; ``gone_time``: the write time (microseconds) that it was, or may have been, stored with."""


def with_copy(decoded: DataFrame, partitions: int) -> DataFrame:
    """Number the copies of an event: ``copy`` 1 is kept, the latest by the broker's clock; dead letters have 1.

    The rows come out in ``partitions`` partitions, in each sorted by the key of ``events_by_user_day``: what a batched
    write to Cassandra wants, for the price of the one shuffle that finding the copies needs anyway. ``spread`` is the
    shuffle's key.
    """
    is_event = F.col("reason").isNull()
    spread = F.when(is_event, F.xxhash64("user_id", "day")).otherwise(F.col("source_offset"))
    same = Window.partitionBy("spread", "user_id", "event_time", "event_id").orderBy(
        F.desc("write_time"), F.desc("source_partition"), F.desc("source_offset")
    )
    spreaded = decoded.withColumn("spread", spread).repartition(partitions, "spread")
    return spreaded.withColumn("copy", F.when(is_event, F.row_number().over(same)).otherwise(F.lit(1)))


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

    ``records, repeats, late, first_offset, last_offset`` and ``foreign_times``: how many did not get their time from
    the broker.
    """
    late = (F.unix_millis("received_at") - F.unix_millis("event_time")) > TOLERANCE
    return copies.groupBy("source_partition", "reason").agg(
        F.count("*").alias("records"),
        F.sum((F.col("copy") > 1).cast("long")).alias("repeats"),
        F.sum(F.coalesce(late, F.lit(False)).cast("long")).alias("late"),
        F.min("source_offset").alias("first_offset"),
        F.max("source_offset").alias("last_offset"),
        F.sum((F.col("timestamp_type") != LOG_APPEND_TIME).cast("long")).alias("foreign_times"),
    )


def event_rows(kept: DataFrame) -> DataFrame:
    """Events as rows of ``events_by_user_day``, with their ``write_time``."""
    return kept.select(*FIELD_NAMES, "write_time")


def visitor_days(kept: DataFrame) -> DataFrame:
    """The visitors' days in these events: ``user_id, day, oldest, newest``."""
    return kept.groupBy("user_id", "day").agg(F.min("event_time").alias("oldest"), F.max("event_time").alias("newest"))


def page_calls(kept: DataFrame) -> DataFrame:
    """The page calls among events: PAGE_CALL, ``day`` and ``write_time``."""
    return kept.where(is_page_call()).select(
        "site",
        "page_path",
        "day",
        F.date_trunc("hour", "event_time").alias("hour"),
        F.date_trunc("minute", "event_time").alias("minute"),
        "user_id",
        "event_time",
        "event_id",
        "is_bot",
        "write_time",
    )


def is_page_call() -> Column:
    """Whether an event is the view of a page: a page call that says which."""
    return (F.col("event_type") == "page") & F.col("page_path").isNotNull()


def page_days(calls: DataFrame) -> DataFrame:
    """The pages' days in these calls: ``site, page_path, day, newest`` (minute)."""
    return calls.groupBy(*PAGE, "day").agg(F.max("minute").alias("newest"))


def metrics(calls: DataFrame) -> DataFrame:
    """Page calls counted by page and minute: rows of ``page_metrics``. A call must not come twice."""
    by_visitor = calls.groupBy(*PAGE, "minute", "user_id").agg(
        F.count("*").alias("views"), F.sum(F.col("is_bot").cast("long")).alias("bot_views")
    )
    return by_visitor.groupBy(*PAGE, "minute").agg(
        F.sum("views").alias("views"), F.sum("bot_views").alias("bot_views"), F.count("*").alias("visitors")
    )


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


def with_mark(rows: DataFrame, marks: DataFrame, key: list[str]) -> DataFrame:
    """Rows with the high-water ``mark`` of their key, null where it has none. ``marks`` has ``key`` and ``mark``."""
    return rows.join(marks, key, "left")


def with_stored(kept: DataFrame, stored: DataFrame) -> DataFrame:
    """Events beside what the store holds of them: ``stored_time`` and the stored page; all null for a new event."""
    return kept.join(stored, list(IDENTITY), "left")


def moved_page_calls(compared: DataFrame) -> DataFrame:
    """The stored page calls that newer contents of their events have moved to another page, or to none: GONE_CALL."""
    was_call = (F.col("stored_event_type") == "page") & F.col("stored_page_path").isNotNull()
    stays = (
        is_page_call()
        & F.col("site").eqNullSafe(F.col("stored_site"))
        & F.col("page_path").eqNullSafe(F.col("stored_page_path"))
    )
    return compared.where(was_call & ~stays).select(
        F.col("stored_site").alias("site"),
        F.col("stored_page_path").alias("page_path"),
        F.date_trunc("hour", "event_time").alias("hour"),
        F.date_trunc("minute", "event_time").alias("minute"),
        "user_id",
        "event_time",
        "event_id",
        F.col("stored_time").alias("gone_time"),
    )


def replaced_page_calls(copies: DataFrame) -> DataFrame:
    """The page calls that a later copy in the same batch has moved to another page, or to none: GONE_CALL.

    A batch that crashed after a checkpoint was lost may have written them.
    """
    call = list(GONE_CALL[:-1])
    lost = page_calls(copies.where(F.col("copy") > 1)).groupBy(*call).agg(F.max("write_time").alias("gone_time"))
    return lost.join(page_calls(events(copies)).select(*call), call, "left_anti").select(*GONE_CALL)
