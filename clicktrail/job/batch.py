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
from clicktrail.job import ledger, transforms
from clicktrail.job.lease import Lease
from clicktrail.job.pages import PageMetrics
from clicktrail.job.records import with_decoded
from clicktrail.job.session import kafka_options
from clicktrail.job.tables import Tables
from clicktrail.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

logger = logging.getLogger(__name__)

_STORED = ("received_at", "source_offset", "event_type")
_OPTIONAL = tuple(field.name for field in FIELDS if not field.required)


class Derivation(Protocol):
    """Keeps tables that are made from the event store; see ``clicktrail.job.derive``."""

    def note(self, kept: DataFrame, gone: list[Any], write_time: int) -> None:
        """Note what a batch is about to touch, before its events are written; it takes the page calls ``gone`` away."""


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
            repeated = any(row.repeats for row in tallies)
            again = self._write_events(kept, transforms.replaced_page_calls(copies).collect() if repeated else [])
        self.lease.check()
        self._to_kafka(transforms.transformed_records(kept), self.settings.transformed_topic)
        if rejected:
            self._to_kafka(transforms.dead_letter_records(copies), self.settings.dead_letter_topic)
        return again

    def _write_events(self, kept: DataFrame, replaced: list[Any]) -> dict[int, int]:
        days = transforms.visitor_days(kept).persist()
        stored = self._stored(kept, days)
        try:
            if stored is None:
                self._bring(kept, replaced, days)
                self.tables.append("events_by_user_day", transforms.event_rows(kept))
                return {}
            return self._write_compared(transforms.with_stored(kept, stored), replaced, days)
        finally:
            days.unpersist()
            if stored is not None:
                stored.unpersist()

    def _stored(self, kept: DataFrame, days: DataFrame) -> DataFrame | None:
        """What the store already holds of these: IDENTITY, ``stored_time`` and the stored page; None for nothing.

        Only events that are not newer than their visitor's day's mark are looked up.
        """
        known = self.tables.look_up("visitor_days", days, {"user_id": "user_id", "day": "day"}, ["newest"])
        known = (
            known.where(F.col("stored_newest") >= F.col("oldest")).select("user_id", "day", "stored_newest").persist()
        )
        try:
            if not known.count():
                return None
            suspects = kept.join(known, ["user_id", "day"]).where(F.col("event_time") <= F.col("stored_newest"))
            keys = suspects.select(*IDENTITY)
            found = self.tables.look_up(
                "events_by_user_day", keys, {name: name for name in IDENTITY}, [*_STORED, *_OPTIONAL]
            )
            stored_time = F.unix_millis("stored_received_at") * 1000 + F.col("stored_source_offset") % 1000
            stored = found.withColumn("stored_time", stored_time).persist()
            if stored.count():
                return stored
            stored.unpersist()
            return None
        finally:
            known.unpersist()

    def _write_compared(self, compared: DataFrame, replaced: list[Any], days: DataFrame) -> dict[int, int]:
        """Write a batch with events known before: those erase what they leave out, stale ones change nothing."""
        current = compared.where(F.col("stored_time").isNull() | (F.col("stored_time") <= F.col("write_time")))
        self._bring(current, [*replaced, *transforms.moved_page_calls(current).collect()], days)
        # Null over null would be a tombstone a cell: after a replay, more than a read of a busy day may pass over.
        vanished = reduce(or_, (F.col(f"stored_{name}").isNotNull() & F.col(name).isNull() for name in _OPTIONAL))
        self.tables.append("events_by_user_day", transforms.event_rows(current.where(~vanished)))
        self.tables.append("events_by_user_day", transforms.event_rows(current.where(vanished)), erase=True)
        counted = compared.where(F.col("stored_time").isNotNull()).groupBy("source_partition").count().collect()
        return {row.source_partition: row["count"] for row in counted}

    def _bring(self, current: DataFrame, gone: list[Any], days: DataFrame) -> None:
        """What has to be written before the events: after a crash in between it is all found and written again."""
        marks = days.select("user_id", "day", "newest", (F.unix_millis("newest") * 1000).alias("write_time"))
        self.tables.append("visitor_days", marks)
        for derivation in self.derivations:
            derivation.note(current, gone, self.lease.next_write_time())
        PageMetrics(self.tables, self.session, self.lease).update(transforms.page_calls(current), gone)
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
