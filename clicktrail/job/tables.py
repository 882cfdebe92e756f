"""Cassandra's tables as Spark sees them: written in batches of one partition, read by key."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

import pyspark.sql.functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_FORMAT = "org.apache.spark.sql.cassandra"


@dataclass(frozen=True)
class Tables:
    """The tables of one keyspace."""

    spark: SparkSession
    keyspace: str

    def append(self, table: str, rows: DataFrame, *, erase: bool = False) -> None:
        """Write ``rows`` with the write time of their column ``write_time`` (microseconds).

        Args:
            table: the table's name.
            rows: the table's columns and ``write_time``.
            erase: whether a null erases what the cell holds. False leaves it as it is, and writes less.
        """
        (
            rows.write.format(_FORMAT)
            .options(table=table, keyspace=self.keyspace, writetime="write_time")
            .option("spark.cassandra.output.ignoreNulls", str(not erase).lower())
            .mode("append")
            .save()
        )

    def look_up(self, table: str, keys: DataFrame, on: dict[str, str], columns: list[str]) -> DataFrame:
        """The rows of ``table`` for distinct ``keys``, read as single-partition queries; nothing is scanned.

        Args:
            table: the table's name.
            keys: a row each key.
            on: the table's key column by the column of ``keys``; all of the partition key, clustering columns in order.
            columns: other columns of the table to return, named ``stored_<column>``.

        Returns:
            The columns of ``keys`` and the ones asked for; keys without a row are left out.
        """
        # The names of the table's columns must reach the join as they are: the connector finds them by name.
        ours = keys.select(*(F.col(name).alias(f"key_{name}") for name in keys.columns))
        table_rows = (
            self.spark.read.format(_FORMAT)
            .options(table=table, keyspace=self.keyspace, directJoinSetting="on")
            .load()
            .select(*on.values(), *columns)
        )
        matches = [ours[f"key_{key}"] == table_rows[column] for key, column in on.items()]
        found = ours.join(table_rows, reduce(and_, matches))
        return found.select(
            *(F.col(f"key_{name}").alias(name) for name in keys.columns),
            *(F.col(column).alias(f"stored_{column}") for column in columns),
        )
