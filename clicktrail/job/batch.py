"""One micro-batch: decode, compare with the store, write everything, enter it in the ledger.

The order of the writes is the point. High-water marks first, so that whatever a crash leaves behind is found again;
then Cassandra; Kafka last, so that a repeated batch repeats as little as can be; then the ledger. Each write is
idempotent.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Protocol

import pyspark.sql.functions as F
from cassandra.cluster import Session

from clicktrail.errors import ClicktrailError
from clicktrail.events import FIELDS, IDENTITY
from clicktrail.job import ledger, marks, page_calls, transforms
from clicktrail.job.lease import Lease
from clicktrail.job.marks import VISITORS, Marks, Span
from clicktrail.job.pages import PageMetrics
from clicktrail.job.records import with_decoded
from clicktrail.job.session import kafka_options
from clicktrail.job.tables import Tables
from clicktrail.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

logger = logging.getLogger(__name__)

_STORED = ("received_at", "source_offset", "event_type", "is_bot")
_OPTIONAL = tuple(field.name for field in FIELDS if not field.required)


class Derivation(Protocol):
    """Keeps tables that are made from the event store; see ``clicktrail.job.derive``."""

    def note(self, days: DataFrame, calls: DataFrame, gone: list[Any], write_time: int) -> None:
        """Note what a batch is about to touch, before its events are written.

        Args:
            days: ``transforms.visitor_days`` of the events.
            calls: ``page_calls.of`` what is new among them.
            gone: page calls that it takes away, ``transforms.GONE_CALL``.
            write_time: of the notes.
        """


@dataclass
class BatchWriter:
    """What ``foreachBatch`` calls."""

    settings: Settings
    tables: Tables
    session: Session
    lease: Lease
    derivations: list[Derivation] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while a batch is written: other writers of the driver wait for it."""

    marks: Marks = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is read yet."""
        self.marks = Marks(self.session)

    def __call__(self, records: DataFrame, batch_id: int) -> None:
        """Bring one micro-batch of ``user_clickstream`` into all sinks."""
        with self.lock:
            started = time.monotonic()
            self.lease.check()
            copies = transforms.with_copy(
                with_decoded(records, self.settings.max_record_bytes),
                records.sparkSession.sparkContext.defaultParallelism,
            ).persist()
            try:
                tallies = transforms.tally(copies).collect()
                self._check_times(tallies)
                again = self._write(copies, tallies)
                self._enter(tallies, again, batch_id, time.monotonic() - started)
            finally:
                copies.unpersist()

    def _check_times(self, tallies: list[Any]) -> None:
        """Which of two contents is the later is for the broker's clock to say: no other may stand in its place."""
        if any(row.foreign_times for row in tallies):
            raise ClicktrailError(
                f"topic {self.settings.source_topic} has records with the producer's time. Set the broker's with "
                f"kafka-configs --alter --entity-type topics --entity-name {self.settings.source_topic} "
                "--add-config message.timestamp.type=LogAppendTime, and start from records that came in after that"
            )

    def _write(self, copies: DataFrame, tallies: list[Any]) -> dict[int, int]:
        """All writes but the ledger's; returns how many events of each partition earlier batches had brought."""
        rejected = any(row.reason is not None for row in tallies)
        if rejected:
            self.tables.append("dead_letters", transforms.dead_letters(copies))
        again: dict[int, int] = {}
        kept = transforms.events(copies)
        if any(row.reason is None for row in tallies):
            moved = any(row.moved for row in tallies)
            again = self._write_events(kept, transforms.replaced_page_calls(copies).collect() if moved else [])
        self.lease.check()
        self._to_kafka(transforms.transformed_records(kept), self.settings.transformed_topic)
        if rejected:
            self._to_kafka(transforms.dead_letter_records(copies), self.settings.dead_letter_topic)
        return again

    def _write_events(self, kept: DataFrame, replaced: list[Any]) -> dict[int, int]:
        days = transforms.visitor_days(kept).persist()
        try:
            touched = marks.spans(days)
            stored = self._stored(kept, days, touched)
            if stored is None:
                self._bring(days, touched, page_calls.of(kept), replaced)
                self.tables.append("events_by_user_day", transforms.event_rows(kept))
                return {}
            try:
                return self._write_compared(kept, stored, replaced, days, touched)
            finally:
                stored.unpersist()
        finally:
            days.unpersist()

    def _stored(self, kept: DataFrame, days: DataFrame, touched: list[Span]) -> DataFrame | None:
        """What the store already holds of these: IDENTITY, ``stored_time`` and the stored fields; None for nothing.

        Only events that are not newer than the mark of their shard, and then of their visitor's day, are looked up.
        """
        reached = self.marks.reached(VISITORS, touched)
        if not reached:
            return None
        keys = marks.below(days, reached, "oldest")
        known = self.tables.look_up(
            "visitors_by_day", keys, {name: name for name in ("day", "shard", "user_id")}, ["newest"]
        )
        known = (
            known.where(F.col("stored_newest") >= F.col("oldest")).select("user_id", "day", "stored_newest").persist()
        )
        try:
            if not known.count():
                return None
            suspects = kept.join(known, ["user_id", "day"]).where(F.col("event_time") <= F.col("stored_newest"))
            found = self.tables.look_up(
                "events_by_user_day",
                suspects.select(*IDENTITY),
                {name: name for name in IDENTITY},
                [*_STORED, *_OPTIONAL],
            )
            stored_time = F.unix_millis("stored_received_at") * 1000 + F.col("stored_source_offset") % 1000
            stored = found.withColumn("stored_time", stored_time).persist()
            if stored.count():
                return stored
            stored.unpersist()
            return None
        finally:
            known.unpersist()

    def _write_compared(
        self, kept: DataFrame, stored: DataFrame, replaced: list[Any], days: DataFrame, touched: list[Span]
    ) -> dict[int, int]:
        """Write a batch with events known before: those erase what they leave out, stale ones change nothing."""
        compared = transforms.with_stored(kept, stored).persist()
        try:
            fresh = transforms.without_stored(kept, stored)
            current = compared.where(F.col("stored_time") <= F.col("write_time"))
            calls = page_calls.of(fresh).unionByName(page_calls.of(transforms.changed_page_calls(current)))
            self._bring(days, touched, calls, [*replaced, *transforms.moved_page_calls(current).collect()])
            self.tables.append("events_by_user_day", transforms.event_rows(fresh))
            # Null over null would be a tombstone a cell: after a replay, more than a read of a busy day may pass over.
            vanished = reduce(or_, (F.col(f"stored_{name}").isNotNull() & F.col(name).isNull() for name in _OPTIONAL))
            self.tables.append("events_by_user_day", transforms.event_rows(current.where(~vanished)))
            self.tables.append("events_by_user_day", transforms.event_rows(current.where(vanished)), erase=True)
            counted = compared.groupBy("source_partition").count().collect()
            return {row.source_partition: row["count"] for row in counted}
        finally:
            compared.unpersist()

    def _bring(self, days: DataFrame, touched: list[Span], calls: DataFrame, gone: list[Any]) -> None:
        """What has to be written before the events: after a crash in between it is all found and written again."""
        self.marks.raise_to(VISITORS, touched)
        newest = days.select("day", "shard", "user_id", "newest", (F.unix_millis("newest") * 1000).alias("write_time"))
        self.tables.append("visitors_by_day", newest)
        calls = calls.persist()
        try:
            for derivation in self.derivations:
                derivation.note(days, calls, gone, self.lease.next_write_time())
            PageMetrics(self.tables, self.session, self.lease, self.marks).update(calls, gone)
        finally:
            calls.unpersist()
        self.lease.check()

    def _to_kafka(self, records: DataFrame, topic: str) -> None:
        options = kafka_options(self.settings) | {
            "topic": topic,
            "kafka.acks": "all",
            "kafka.enable.idempotence": "true",
            "kafka.compression.type": "lz4",
            "kafka.linger.ms": "20",
            "kafka.batch.size": "131072",
            "kafka.max.request.size": str(2 * self.settings.max_record_bytes + 65_536),
            "includeHeaders": "true",
        }
        records.write.format("kafka").options(**options).save()

    def _enter(self, tallies: list[Any], again: dict[int, int], batch_id: int, seconds: float) -> None:
        self.lease.check()
        entries = ledger.entries(tallies, again)
        ledger.write(self.session, entries, batch_id, self.lease.epoch, seconds, datetime.now(UTC))
        read = sum(entry.events_read for entry in entries)
        good = sum(entry.good for entry in entries)
        logger.info(
            "batch %d: %d records, %d events, %d dead letters, %.1f s", batch_id, read, good, read - good, seconds
        )
