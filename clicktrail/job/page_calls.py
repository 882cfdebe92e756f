"""Page calls as ``page_calls`` keeps them: many in a row, since a row a call would double the work of the store.

A row holds the calls of a page's minute that one batch brought, with commas between them. A call is 51 characters:
16 hexadecimal digits of who called, 16 of which event it is (xxHash64 of the visitor, of visitor, time and id), a
letter (``p`` a person, ``b`` a crawler, ``x`` gone), and 18 digits of the event's write time. The same call may stand
in several rows, after a crash for one: the latest letter counts. Among a million calls of one page in one minute two
hashes are the same with a probability of three in a hundred million.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyspark.sql.functions as F

from clicktrail.job import marks
from clicktrail.job.transforms import PAGE, is_page_call

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

COUNTED = (*PAGE, "minute", "visitor", "is_bot")
_OFFSETS_A_ROW = 5_000
"""Bounds a row: a source partition adds at most so many calls to it, a quarter of a megabyte."""
_CALL = (*PAGE, "minute", "visitor", "call")
_PERSON, _BOT, _GONE = "p", "b", "x"


def of(events: DataFrame) -> DataFrame:
    """The page calls among events.

    Columns: ``site, page_path, day, shard, minute, part, visitor, call, is_bot, letter, write_time``.
    """
    part = F.xxhash64("source_partition", F.floor(F.col("source_offset") / _OFFSETS_A_ROW))
    return events.where(is_page_call()).select(
        *PAGE,
        "day",
        marks.shard(*PAGE),
        F.date_trunc("minute", "event_time").alias("minute"),
        part.alias("part"),
        *_hashes(),
        "is_bot",
        F.when(F.col("is_bot"), _BOT).otherwise(_PERSON).alias("letter"),
        "write_time",
    )


def taken_away(spark: SparkSession, gone: list[Any]) -> DataFrame:
    """Calls that are now of another page, or of none (rows of ``transforms.GONE_CALL``), in the same form."""
    schema = (
        "site string, page_path string, minute timestamp, user_id string, event_time timestamp, event_id string, "
        "write_time long"
    )
    rows = [(r.site, r.page_path, r.minute, r.user_id, r.event_time, r.event_id, r.gone_time) for r in gone]
    calls = spark.createDataFrame(rows, schema)
    part = F.pmod(F.xxhash64("event_id"), F.lit(16)).cast("long")
    return calls.select(*PAGE, "minute", part.alias("part"), *_hashes(), F.lit(_GONE).alias("letter"), "write_time")


def chunks(calls: DataFrame, chunk: int) -> DataFrame:
    """Calls as rows of ``page_calls``; ``chunk`` is a number that no row had before, and their write time."""
    written = F.lpad(F.col("write_time").cast("string"), 18, "0")
    packed = F.concat(_hexadecimal("visitor"), _hexadecimal("call"), "letter", written)
    rows = calls.groupBy(*PAGE, "minute", "part").agg(F.array_join(F.collect_list(packed), ",").alias("calls"))
    return rows.withColumns({"hour": F.date_trunc("hour", "minute"), "chunk": F.lit(chunk), "write_time": F.lit(chunk)})


def there(rows: DataFrame) -> DataFrame:
    """The calls that are there in rows with ``stored_calls``: ``site, page_path, minute, visitor, call, last``.

    ``last`` has when it was written last, as 18 digits, and the letter.
    """
    calls = rows.select(*PAGE, "minute", F.explode(F.split("stored_calls", ",")).alias("packed")).select(
        *PAGE,
        "minute",
        _number(F.substring("packed", 1, 16)).alias("visitor"),
        _number(F.substring("packed", 17, 16)).alias("call"),
        F.substring("packed", 34, 18).alias("written"),
        F.substring("packed", 33, 1).alias("letter"),
    )
    # Of the same time "x" is the last: what was taken away at a write time was written with it.
    last = calls.groupBy(*_CALL).agg(F.max(F.struct("written", "letter")).alias("last"))
    return last.where(F.col("last.letter") != _GONE)


def counted(calls: DataFrame) -> DataFrame:
    """The calls that are ``there`` as COUNTED."""
    return calls.select(*PAGE, "minute", "visitor", (F.col("last.letter") == _BOT).alias("is_bot"))


def still_there(taken: DataFrame, calls: DataFrame) -> DataFrame:
    """Of calls to take away those that are ``there``, and not written later: the others need no entry."""
    found = taken.join(calls, list(_CALL))
    return found.where(F.col("last.written").cast("long") <= F.col("write_time")).drop("last")


def metrics(calls: DataFrame) -> DataFrame:
    """Page calls (COUNTED, each once) counted by page and minute: rows of ``page_metrics``."""
    by_visitor = calls.groupBy(*PAGE, "minute", "visitor").agg(
        F.count("*").alias("views"), F.sum(F.col("is_bot").cast("long")).alias("bot_views")
    )
    return by_visitor.groupBy(*PAGE, "minute").agg(
        F.sum("views").alias("views"), F.sum("bot_views").alias("bot_views"), F.count("*").alias("visitors")
    )


def _hashes() -> tuple[Column, Column]:
    call = F.xxhash64("user_id", F.unix_millis("event_time"), "event_id")
    return F.xxhash64("user_id").alias("visitor"), call.alias("call")


def _hexadecimal(number: str) -> Column:
    return F.lpad(F.hex(number), 16, "0")


def _number(hexadecimal: Column) -> Column:
    return F.conv(hexadecimal, 16, -10).cast("long")
