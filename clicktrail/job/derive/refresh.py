"""When and in which order the derived tables are made anew."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from cassandra.cluster import Session

from clicktrail.job.derive import days, funnels, known, pending, spread, top_pages, visits
from clicktrail.job.derive.cql import Cql, chunks
from clicktrail.job.derive.funnels import Funnel
from clicktrail.job.lease import Lease
from clicktrail.job.page_calls import PageMinute
from clicktrail.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

PAUSE = 60.0
"""Seconds between two refreshes, at least."""
_LONGEST_PAUSE = 600.0
_SHARE = 10
"""A refresh is followed by a pause of this many times what it took: it costs the events' path a tenth of its time, up
to the longest pause."""


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
        self._lease = lease
        self._funnels = funnels.load() if kept is None else kept
        self._clock = clock
        self._touched = True
        self._next = clock() + PAUSE

    def note(self, pages: Iterable[PageMinute], write_time: int) -> None:
        """Note the pages that a batch touches; its visitors are noted where their events are written."""
        pending.note_pages(self._cql, {pending.span_of(page) for page in pages}, write_time)
        self._touched = True

    @property
    def due(self) -> bool:
        """Whether something was touched and the pause is over."""
        return self._touched and self._clock() >= self._next

    def refresh(self) -> None:
        """Make anew all that is noted. No batch may be written meanwhile.

        Raises:
            LeaseLostError: another driver is writing; the notes stay for it.
        """
        started = self._clock()
        write_time = self._lease.next_write_time()
        with spread.garbage_seldom_looked_for():
            notes = pending.read(self._cql)
            if notes:
                self._make(notes, write_time)
                self._lease.check()
                pending.clear(self._cql, write_time)
        self._touched = False
        took = self._clock() - started
        self._next = self._clock() + max(PAUSE, min(_SHARE * took, _LONGEST_PAUSE))
        logger.info(
            "answers: %d visitors and %d pages' spans made anew in %.1f s", len(notes.visitors), len(notes.pages), took
        )

    def _make(self, notes: pending.Pending, write_time: int) -> None:
        each = partial(spread.each, self._spark, self._settings, self._cql)
        looked_at = each(partial(known.look_at, write_time=write_time), list(notes.parts(known.AT_ONCE)))
        targets, moves = known.settle(self._cql, notes, looked_at, write_time)
        self._lease.check()
        derive = partial(visits.refresh, funnels=tuple(self._funnels), write_time=write_time)
        touched = set().union(*each(derive, list(chunks(targets, visits.AT_ONCE))))
        self._lease.check()
        days.refresh(self._cql, touched, self._funnels, write_time)
        known.enter(self._cql, moves, write_time)
        self._lease.check()
        top_pages.refresh(self._cql, notes.pages, write_time)
