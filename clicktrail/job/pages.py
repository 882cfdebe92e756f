"""``page_metrics``, kept exact: new minutes are counted from the batch, all others from ``page_calls``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyspark.sql.functions as F
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args

from clicktrail.job import marks, page_calls
from clicktrail.job.lease import Lease
from clicktrail.job.marks import PAGES, Marks
from clicktrail.job.tables import Tables
from clicktrail.job.transforms import PAGE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_MINUTE = [*PAGE, "minute"]


@dataclass(frozen=True)
class PageMetrics:
    """Brings the page calls of a batch into ``page_calls`` and ``page_metrics``."""

    tables: Tables
    session: Session
    lease: Lease
    marks: Marks

    def update(self, calls: DataFrame, gone: list[Any]) -> None:
        """Count ``calls`` (``page_calls.of``, cached by the caller), take the rows ``gone`` away (``GONE_CALL``)."""
        spans = marks.spans(calls.withColumns({"oldest": F.col("minute"), "newest": F.col("minute")}))
        reached = self.marks.reached(PAGES, spans)
        self.marks.raise_to(PAGES, spans)
        self._store(calls, gone)
        if not reached and not gone:
            self._write(page_calls.metrics(calls))
            return
        known = self._known_minutes(calls, reached, gone).persist()
        try:
            # A minute may lose one call of this batch and get another: it is counted once, from page_calls.
            fresh = marks.above(calls, reached, "minute").join(known, _MINUTE, "left_anti")
            stored = page_calls.counted(self._there(known))
            counts = page_calls.metrics(fresh.select(*page_calls.COUNTED).unionByName(stored)).persist()
            try:
                self._write(counts)
                if gone:
                    self._delete(known.join(counts, _MINUTE, "left_anti"))
            finally:
                counts.unpersist()
        finally:
            known.unpersist()

    def _store(self, calls: DataFrame, gone: list[Any]) -> None:
        """Write the calls, and that some are gone, before the events: after a crash they are found again."""
        chunk = self.lease.next_write_time()
        self.tables.append("page_calls", page_calls.chunks(calls, chunk))
        if gone:
            taken = page_calls.taken_away(self.tables.spark, gone).persist()
            still = page_calls.still_there(taken, self._there(taken.select(*_MINUTE).distinct()))
            self.tables.append("page_calls", page_calls.chunks(still, self.lease.next_write_time()))
            taken.unpersist()

    def _known_minutes(self, calls: DataFrame, reached: dict[Any, int], gone: list[Any]) -> DataFrame:
        """The pages' minutes that may hold calls of earlier batches, or that lose one: site, page_path, minute."""
        known = marks.below(calls, reached, "minute").select(*_MINUTE)
        if gone:
            left = self.tables.spark.createDataFrame([(r.site, r.page_path, r.minute) for r in gone], known.schema)
            known = known.unionByName(left)
        return known.distinct()

    def _there(self, minutes: DataFrame) -> DataFrame:
        keys = minutes.withColumn("hour", F.date_trunc("hour", "minute"))
        on = {name: name for name in (*PAGE, "hour", "minute")}
        return page_calls.there(self.tables.look_up("page_calls", keys, on, ["calls"]))

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
