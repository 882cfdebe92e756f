"""One micro-batch: decode, compare with the store, write everything, enter it in the ledger.

The order of the writes is the point. In each share what lets a crash be made good, then events, then Kafka
(:mod:`clicktrail.job.share`); here pages, the events that waited for their counts, and the ledger. Each write is
idempotent, but for Kafka's.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
from cassandra.cluster import Session

from clicktrail.job import ledger, pages, share, transforms, worker
from clicktrail.job.derive.cql import Cql
from clicktrail.job.event_store import VisitorDay
from clicktrail.job.lease import Lease
from clicktrail.job.page_calls import PageMinute
from clicktrail.job.page_counts import Counts
from clicktrail.job.records import InArrow, ddl, decoder, of_kafka, with_decoded
from clicktrail.job.report import Report
from clicktrail.job.times import MILLISECONDS_A_DAY
from clicktrail.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

logger = logging.getLogger(__name__)

_FEW = 8_000
"""Records of a batch up to which a second stage and a second core cost more time than they save."""


class Derivation(Protocol):
    """Keeps tables that are made from the event store; see ``clicktrail.job.derive``."""

    def note(self, pages: Iterable[PageMinute], write_time: int) -> None:
        """Note the pages that a batch touches; its visitors are noted where their events are written."""


@dataclass
class BatchWriter:
    """What ``foreachBatch`` calls."""

    settings: Settings
    session: Session
    lease: Lease
    derivations: list[Derivation] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while a batch is written: who has it finds the tables between two batches."""

    cql: Cql = field(init=False)
    counts: Counts = field(init=False)
    _before: float = field(default=float("inf"), init=False)
    """Records of the batch before."""

    def __post_init__(self) -> None:
        """Nothing is read yet."""
        self.cql = Cql(self.session)
        self.counts = Counts(self.cql)

    def __call__(self, records: DataFrame, batch_id: int) -> None:
        """Bring one micro-batch of ``user_clickstream`` into all sinks."""
        with self.lock:
            started = time.monotonic()
            write_time = self.lease.next_write_time()
            out = self._taken(records, write_time).persist()
            try:
                report = Report.together(bytes(row.report) for row in transforms.reports(out).collect())
                self._settle(report, out, write_time)
            finally:
                out.unpersist()
            self._enter(report, batch_id, time.monotonic() - started)

    def _taken(self, records: DataFrame, write_time: int) -> DataFrame:
        """What the shares of a batch give (``share.OUT``). After a small batch the next one is a single share."""
        take = share.taker(self.settings, write_time)
        limit = self.settings.max_record_bytes
        if self._before <= _FEW:
            return of_kafka(records.coalesce(1)).mapInArrow(_decoding(limit, take), ddl(share.OUT))
        # A task has its price; in the end no more than these run side by side.
        at_once = records.sparkSession.sparkContext.defaultParallelism
        decoded = with_decoded(records.coalesce(at_once), limit)
        return transforms.shared_out(decoded, at_once).mapInArrow(take, ddl(share.OUT))

    def _settle(self, report: Report, out: DataFrame, write_time: int) -> None:
        """Count the pages, then store the events that waited for it."""
        self.lease.check()
        for derivation in self.derivations:
            derivation.note(report.pages, write_time)
        pages.update(self.cql, self.counts, report, write_time)
        self.lease.check()
        if report.held:
            transforms.held(out).mapInArrow(_storer(self.settings), "stored long").collect()
            self.lease.check()

    def _enter(self, report: Report, batch_id: int, seconds: float) -> None:
        self.lease.check()
        entries = ledger.entries(report.tallies)
        ledger.write(self.session, entries, batch_id, self.lease.epoch, seconds, datetime.now(UTC))
        read = sum(entry.events_read for entry in entries)
        good = sum(entry.good for entry in entries)
        self._before = read
        logger.info(
            "batch %d: %d records, %d events, %d dead letters, %.1f s", batch_id, read, good, read - good, seconds
        )


def _decoding(limit: int, take: InArrow) -> InArrow:
    """``take``, out of records as they come from Kafka."""
    decode = decoder(limit)
    return lambda batches: take(decode(batches))


def _storer(settings: Settings) -> InArrow:
    """The function that Spark runs over events that waited (``transforms.held``): stores them, says how many."""

    def store(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = [
                (VisitorDay(user_id, time // MILLISECONDS_A_DAY), row)
                for user_id, time, row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
            ]
            worker.event_store(settings).write(sorted(rows))
            yield pa.RecordBatch.from_pydict({"stored": pa.array([len(rows)], pa.int64())})

    return store
