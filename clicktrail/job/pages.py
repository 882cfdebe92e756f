"""``page_metrics``, kept exact: minutes never seen before are counted from the batch, all others from ``page_views``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyspark.sql.functions as F
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args

from clicktrail.job import transforms
from clicktrail.job.lease import Lease
from clicktrail.job.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_MINUTE = [*transforms.PAGE, "minute"]


@dataclass(frozen=True)
class PageMetrics:
    """Brings the page calls of a batch into ``page_views`` and ``page_metrics``."""

    tables: Tables
    session: Session
    lease: Lease

    def update(self, calls: DataFrame, moved: DataFrame | None) -> None:
        """Count ``calls`` (``transforms.page_calls``); ``moved`` are calls to take away: GONE_CALL."""
        calls = calls.persist()
        marked = None
        try:
            marked = self._with_mark(calls).persist()
            self._mark(calls)
            views = calls.select(*transforms.PAGE_CALL, "write_time")
            self.tables.append("page_views", views)
            gone = self._take_away(moved)
            fresh = marked.where(F.col("mark").isNull() | (F.col("minute") > F.col("mark")))
            self._write(transforms.metrics(fresh))
            known = marked.where(F.col("minute") <= F.col("mark")).select(*_MINUTE)
            self._recount((known if gone is None else known.unionByName(gone)).distinct())
        finally:
            calls.unpersist()
            if marked is not None:
                marked.unpersist()

    def _with_mark(self, calls: DataFrame) -> DataFrame:
        key = [*transforms.PAGE, "day"]
        days = calls.select(*key).distinct()
        marks = self.tables.look_up("page_days", days, {name: name for name in key}, ["newest"])
        return transforms.with_mark(calls, marks.withColumnRenamed("stored_newest", "mark"), key)

    def _mark(self, calls: DataFrame) -> None:
        days = transforms.page_days(calls)
        self.tables.append("page_days", days.withColumn("write_time", F.unix_millis("newest") * 1000))

    def _take_away(self, moved: DataFrame | None) -> DataFrame | None:
        """Delete the calls that are now of another page, or of none; returns the minutes they leave."""
        rows = moved.collect() if moved is not None else []
        if not rows:
            return None
        delete = self.session.prepare(
            "DELETE FROM page_views USING TIMESTAMP ? "
            "WHERE site = ? AND page_path = ? AND minute = ? AND user_id = ? AND event_time = ? AND event_id = ?"
        )
        values = [(r.gone_time, r.site, r.page_path, r.minute, r.user_id, r.event_time, r.event_id) for r in rows]
        execute_concurrent_with_args(self.session, delete, values, concurrency=64, raise_on_first_error=True)
        return moved.select(*_MINUTE) if moved is not None else None

    def _write(self, counts: DataFrame) -> None:
        rows = counts.withColumn("day", F.to_date("minute"))
        self.tables.append("page_metrics", rows.withColumn("write_time", F.lit(self.lease.next_write_time())))

    def _recount(self, minutes: DataFrame) -> None:
        """Count these minutes anew from ``page_views``; one that nobody is left in is deleted."""
        minutes = minutes.persist()
        try:
            if not minutes.count():
                return
            found = self.tables.look_up(
                "page_views", minutes, {name: name for name in _MINUTE}, ["user_id", "event_id", "is_bot"]
            )
            counts = transforms.metrics(
                found.select(*_MINUTE, F.col("stored_user_id").alias("user_id"), F.col("stored_is_bot").alias("is_bot"))
            ).persist()
            try:
                self._write(counts)
                self._delete(minutes.join(counts, _MINUTE, "left_anti"))
            finally:
                counts.unpersist()
        finally:
            minutes.unpersist()

    def _delete(self, minutes: DataFrame) -> None:
        rows = minutes.withColumn("day", F.to_date("minute")).collect()
        if not rows:
            return
        delete = self.session.prepare(
            "DELETE FROM page_metrics USING TIMESTAMP ? WHERE site = ? AND page_path = ? AND day = ? AND minute = ?"
        )
        moment = self.lease.next_write_time()
        values = [(moment, r.site, r.page_path, r.day, r.minute) for r in rows]
        execute_concurrent_with_args(self.session, delete, values, concurrency=64, raise_on_first_error=True)
