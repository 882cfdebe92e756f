"""When and in which order the derived tables are made anew."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from cassandra.cluster import Session

from clicktrail.job.derive import days, funnels, known, pending, spread, top_pages, visits
from clicktrail.job.derive.cql import Cql, chunks
from clicktrail.job.derive.funnels import Funnel
from clicktrail.job.derive.spread import Spread, StoppedError
from clicktrail.job.lease import Lease
from clicktrail.job.page_calls import PageMinute
from clicktrail.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

PAUSE = 60.0
"""Seconds between two refreshes, at least."""
_SHARE = 2
"""A refresh is followed by a pause of this many times what it took."""
_LONGEST = 300.0
"""Seconds: after a refresh that took longer, the next one is not quiet, but takes all executors that it can get."""


class Answers:
    """Keeps sessions, identities, funnels, traffic by day and top pages; a ``batch.Derivation``."""

    def __init__(
        self,
        spark: SparkSession,
        settings: Settings,
        session: Session,
        lease: Lease,
        kept: Sequence[Funnel] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Notes of earlier runs count as touched; ``kept`` are the funnels, by default those of the package's file."""
        self._spark = spark
        self._settings = settings
        self._cql = Cql(session)
        self._quiet_cql = Cql(session, spread.REQUESTS)
        self._lease = lease
        self._funnels = funnels.load() if kept is None else kept
        self._clock = clock
        self._touched = True
        self._stopping = Event()
        self._took = 0.0
        self._next = clock() + PAUSE

    def note(self, pages: Iterable[PageMinute], write_time: int) -> None:
        """Note the pages that a batch touches; its visitors are noted where their events are written."""
        pending.note_pages(self._cql, {pending.span_of(page) for page in pages}, write_time)
        self._touched = True

    @property
    def due(self) -> bool:
        """Whether something was touched and the pause is over."""
        return self._touched and self._clock() >= self._next

    def refresh(self, batches: AbstractContextManager[object] | None = None) -> None:
        """Make anew all that is noted.

        Args:
            batches: where batches are being written, what keeps them from it while the notes are read. Then this goes
                on beside them, quietly. What it reads of a batch too early, that batch has noted with a later write
                time: the notes outlive this refresh, and the next one makes it anew.

        Raises:
            LeaseLostError: another driver is writing; the notes stay for it.
            StoppedError: it was cut off (see :meth:`refreshing`); the notes stay for the next one.
        """
        started = self._clock()
        quietly = self._stopping if batches is not None and self._took <= _LONGEST else None
        cql = self._quiet_cql if quietly else self._cql
        with spread.garbage_seldom_looked_for():
            with batches or nullcontext():
                write_time = self._lease.next_write_time()
                notes = pending.read(self._cql)
                self._touched = False
            if notes:
                self._make(cql, notes, write_time, Spread(self._spark, self._settings, cql, quietly))
                self._lease.check()
                pending.clear(cql, write_time)
        self._took = self._clock() - started
        self._next = self._clock() + max(PAUSE, _SHARE * self._took)
        made = len(notes.visitors), len(notes.pages), self._took
        logger.info("answers: %d visitors and %d pages' spans made anew in %.1f s", *made)

    @contextmanager
    def refreshing(self, batches: AbstractContextManager[object]) -> Iterator[Callable[[], None]]:
        """A refresh now and then in a thread of its own, beside batches, until the end; then one on its way is cut off.

        Args:
            batches: see :meth:`refresh`.

        Yields:
            What to call now and then: it begins a refresh that is due, and raises what one before has raised.
        """
        running: Future[None] | None = None
        with ThreadPoolExecutor(1, "answers") as threads:

            def look() -> None:
                nonlocal running
                if running is not None and running.done():
                    running.result()
                    running = None
                if running is None and self.due:
                    running = threads.submit(self.refresh, batches)

            try:
                yield look
            finally:
                self._stopping.set()
        if running is not None:
            with suppress(StoppedError):
                running.result()

    def _make(self, cql: Cql, notes: pending.Pending, write_time: int, by: Spread) -> None:
        look_at = partial(known.look_at, write_time=write_time)
        looked_at = by.each(look_at, list(notes.parts(by.size(known.AT_ONCE))))
        targets, moves = known.settle(cql, notes, looked_at, write_time)
        self._lease.check()
        derive = partial(visits.refresh, funnels=tuple(self._funnels), write_time=write_time)
        touched = set().union(*by.each(derive, list(chunks(targets, by.size(visits.AT_ONCE)))))
        self._lease.check()
        days.refresh(cql, touched, self._funnels, write_time)
        known.enter(cql, moves, write_time)
        self._lease.check()
        top_pages.refresh(cql, notes.pages, write_time)
