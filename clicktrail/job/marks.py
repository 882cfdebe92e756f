"""High-water marks: how far a day's visitors, or pages, may have been stored. What is newer needs no look-up.

Visitors and pages are spread over SHARDS, and a mark is that of a shard: where events come in the order of time, a look
at the marks tells that nearly all of a batch is new. A mark is raised before the rows that it stands for are written;
one that is too high costs look-ups, never correctness.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import pyspark.sql.functions as F
from cassandra.cluster import Session

from clicktrail.job.derive.cql import Cql, Write, insert

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

SHARDS = 64
VISITORS, PAGES = "visitors", "pages"
_TABLE = "day_marks"
_READ = f"SELECT shard, to_unix_timestamp(newest) FROM {_TABLE} WHERE day = ? AND kind = ?"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Span(NamedTuple):
    """What a batch brings for a shard of a day; times in milliseconds since 1970."""

    day: date
    shard: int
    oldest: int
    newest: int


def shard(*key: str) -> Column:
    """The shard of a visitor or page, by the columns that name it."""
    return F.pmod(F.xxhash64(*key), F.lit(SHARDS)).cast("int").alias("shard")


def spans(rows: DataFrame) -> list[Span]:
    """The spans of rows with ``day, shard, oldest`` and ``newest`` (timestamps)."""
    oldest, newest = F.unix_millis(F.min("oldest")), F.unix_millis(F.max("newest"))
    found = rows.groupBy("day", "shard").agg(oldest.alias("oldest"), newest.alias("newest")).collect()
    return [Span(row.day, row.shard, row.oldest, row.newest) for row in found]


class Marks:
    """The marks in Cassandra."""

    def __init__(self, session: Session) -> None:
        """Nothing is read yet."""
        self._cql = Cql(session)

    def reached(self, kind: str, touched: Iterable[Span]) -> dict[tuple[date, int], int]:
        """The marks that a span does not lie wholly above, by day and shard (milliseconds since 1970)."""
        touched = list(touched)
        days = sorted({span.day for span in touched})
        read = self._cql.read(_READ, [(day, kind) for day in days])
        marks = {(day, number): mark for day, rows in zip(days, read, strict=True) for number, mark in rows}
        return {span[:2]: marks[span[:2]] for span in touched if span[:2] in marks and span.oldest <= marks[span[:2]]}

    def raise_to(self, kind: str, touched: Iterable[Span]) -> None:
        """Raise the marks to the end of the spans. The moment is the write time, so that a mark never falls."""
        statement = insert(_TABLE, ("day", "kind", "shard", "newest"))
        self._cql.write(
            Write(
                (_TABLE, span.day),
                statement,
                (span.day, kind, span.shard, _EPOCH + timedelta(milliseconds=span.newest), span.newest * 1_000),
            )
            for span in touched
        )


def below(rows: DataFrame, marks: dict[tuple[date, int], int], time: str) -> DataFrame:
    """The rows (with ``day`` and ``shard``) whose ``time`` is not above their shard's mark; no marks, no rows."""
    frame = _frame(rows.sparkSession, marks)
    near = rows.join(F.broadcast(frame), ["day", "shard"])
    return near.where(F.unix_millis(time) <= F.col("mark")).drop("mark")


def above(rows: DataFrame, marks: dict[tuple[date, int], int], time: str) -> DataFrame:
    """The other rows: those above their shard's mark, and those of shards without one."""
    if not marks:
        return rows
    frame = _frame(rows.sparkSession, marks)
    near = rows.join(F.broadcast(frame), ["day", "shard"], "left")
    return near.where(F.col("mark").isNull() | (F.unix_millis(time) > F.col("mark"))).drop("mark")


def _frame(spark: SparkSession, marks: dict[tuple[date, int], int]) -> DataFrame:
    return spark.createDataFrame([(*key, mark) for key, mark in marks.items()], "day date, shard int, mark long")
