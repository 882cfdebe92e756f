"""What the job does with records, as pure functions from DataFrame to DataFrame.

Nothing here knows of Cassandra, Kafka or a clock. Expressions are SQL: each is one call into the JVM, where columns put
together in Python would be one for each piece, for every batch anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyspark.sql.functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def shared_out(decoded: DataFrame, shares: int) -> DataFrame:
    """Decoded records in so many partitions, all of a visitor's in one; dead letters are spread evenly."""
    return decoded.repartition(shares, F.expr("coalesce(user_id, string(source_offset))"))


def reports(out: DataFrame) -> DataFrame:
    """The reports among what came out of the shares (``share.OUT``): ``report``."""
    return out.where("report IS NOT NULL").select("report")


def held(out: DataFrame) -> DataFrame:
    """The events that are still to be stored: ``user_id, event_time, held``."""
    return out.where("held IS NOT NULL").select("user_id", "event_time", "held")


def kafka_records(out: DataFrame, transformed_topic: str, dead_letter_topic: str) -> DataFrame:
    """What came out of the shares as records for Kafka: ``topic, key, value, headers``.

    Of a dead letter these are the original key and bytes; reason, detail and origin are headers.
    """
    origin = ("source_topic", "source_partition", "source_offset")
    of_event = _headers(*origin, "event_id")
    of_dead_letter = _headers("reason", "detail", *origin, "received_at")
    return out.where("report IS NULL").selectExpr(
        f"if(reason IS NULL, '{transformed_topic}', '{dead_letter_topic}') AS topic",
        "record_key AS key",
        "record_value AS value",
        f"if(reason IS NULL, {of_event}, {of_dead_letter}) AS headers",
    )


def _headers(*names: str) -> str:
    """The columns of these names as headers."""
    each = (f"named_struct('key', '{name}', 'value', encode(string({name}), 'UTF-8'))" for name in names)
    return f"array({', '.join(each)})"
