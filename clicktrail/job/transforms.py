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
