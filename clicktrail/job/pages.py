"""``page_metrics``, kept exact: new minutes are counted from the batch, all others from ``page_views``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyspark.sql.functions as F
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args

from clicktrail.job import transforms
from clicktrail.job.lease import Lease
from clicktrail.job.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_MINUTE = [*transforms.PAGE, "minute"]
_COUNTED = [*_MINUTE, "user_id", "is_bot"]


@dataclass(frozen=True)
class PageMetrics:
    """Brings the page calls of a batch into ``page_views`` and ``page_metrics``."""

    tables: Tables
    session: Session
    lease: Lease

    def update(self, calls: DataFrame, gone: list[Any]) -> None:
        """Count ``calls`` (``transforms.page_calls``), take the rows ``gone`` away (``transforms.GONE_CALL``)."""
        marked = self._with_mark(calls).persist()
        try:
            self._mark(marked)
            self.tables.append("page_views", marked.select(*transforms.PAGE_CALL, "write_time"))
            self._take_away(gone)
            fresh = marked.where(F.col("mark").isNull() | (F.col("minute") > F.col("mark")))
            known = self._known_minutes(marked, gone)
            if gone:  # a minute may lose one call of this batch and get another: it is counted once, from page_views
                fresh = fresh.join(known, _MINUTE, "left_anti")
            counts = transforms.metrics(fresh.select(*_COUNTED).unionByName(self._stored_calls(known))).persist()
            try:
                self._write(counts)
                if gone:
                    self._delete(known.join(counts, _MINUTE, "left_anti"))
            finally:
                counts.unpersist()
        finally:
            marked.unpersist()

    def _with_mark(self, calls: DataFrame) -> DataFrame:
        key = [*transforms.PAGE, "day"]
        days = calls.select(*key).distinct()
        marks = self.tables.look_up("page_days", days, {name: name for name in key}, ["newest"])
        return transforms.with_mark(calls, marks.withColumnRenamed("stored_newest", "mark"), key)

    def _mark(self, marked: DataFrame) -> None:
        """Raise the marks. Grouping ``marked`` reads all the old ones before the first new one is written."""
        days = transforms.page_days(marked)
        self.tables.append("page_days", days.withColumn("write_time", F.unix_millis("newest") * 1000))

    def _take_away(self, gone: list[Any]) -> None:
        """Delete the calls that are now of another page, or of none."""
        if not gone:
            return
        delete = self.session.prepare(
            "DELETE FROM page_views USING TIMESTAMP ? "
            "WHERE site = ? AND page_path = ? AND hour = ? AND minute = ? "
            "AND user_id = ? AND event_time = ? AND event_id = ?"
        )
        values = [tuple(r[name] for name in ("gone_time", *transforms.GONE_CALL[:-1])) for r in gone]
        execute_concurrent_with_args(self.session, delete, values, concurrency=64, raise_on_first_error=True)

    def _known_minutes(self, marked: DataFrame, gone: list[Any]) -> DataFrame:
        """The pages' minutes that may hold calls of earlier batches, or that lose one: site, page_path, minute."""
        known = marked.where(F.col("minute") <= F.col("mark")).select(*_MINUTE)
        if gone:
            left = self.tables.spark.createDataFrame([(r.site, r.page_path, r.minute) for r in gone], known.schema)
            known = known.unionByName(left)
        return known.distinct()

    def _stored_calls(self, minutes: DataFrame) -> DataFrame:
        keys = minutes.withColumn("hour", F.date_trunc("hour", "minute"))
        on = {name: name for name in (*transforms.PAGE, "hour", "minute")}
        found = self.tables.look_up("page_views", keys, on, ["user_id", "event_id", "is_bot"])
        return found.select(*_MINUTE, F.col("stored_user_id").alias("user_id"), F.col("stored_is_bot").alias("is_bot"))

    def _write(self, counts: DataFrame) -> None:
        rows = counts.withColumn("day", F.to_date("minute"))
        self.tables.append("page_metrics", rows.withColumn("write_time", F.lit(self.lease.next_write_time())))

    def _delete(self, minutes: DataFrame) -> None:
        """Delete the counts of minutes that nobody is left in."""
        rows = minutes.withColumn("day", F.to_date("minute")).collect()
        delete = self.session.prepare(
            "DELETE FROM page_metrics USING TIMESTAMP ? WHERE site = ? AND page_path = ? AND day = ? AND minute = ?"
        )
        moment = self.lease.next_write_time()
        values = [(moment, r.site, r.page_path, r.day, r.minute) for r in rows]
        execute_concurrent_with_args(self.session, delete, values, concurrency=64, raise_on_first_error=True)
