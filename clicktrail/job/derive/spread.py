"""Pieces of work, each of which reads, derives and writes on its own."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from clicktrail.job import worker
from clicktrail.job.derive.cql import Cql
from clicktrail.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[Cql, T], R]
_POOL = "answers"
"""Has its share of the executors beside the batches, which do not wait until all pieces are done."""
_SMALL = 100
"""Visitors of a piece that the driver does quietly."""
_REST = 2
"""After a piece that it does quietly the driver rests for this many times what it took."""
REQUESTS = 8
"""Of the driver in flight at once, beside batches: Cassandra's time is the batches' first."""


class StoppedError(Exception):
    """Quiet work was asked to stop."""


class Spread:
    """Cuts work into pieces and has them done: by all executors, or by the driver alone, quietly beside batches."""

    def __init__(self, spark: SparkSession, settings: Settings, cql: Cql, quietly: Event | None = None) -> None:
        """Take what it needs.

        Args:
            spark: whose executors do the pieces.
            settings: where Cassandra is, for them.
            cql: the driver's; a single piece is done there too, before a job of Spark's would have begun.
            quietly: given where batches are being written; once it is set, no further piece is done.
        """
        self._spark = spark
        self._settings = settings
        self._cql = cql
        self._quietly = quietly

    def size(self, most: int) -> int:
        """Visitors of a piece, where ``most`` can be held in memory."""
        return min(most, _SMALL) if self._quietly else most

    def each(self, work: Work[T, R], pieces: Sequence[T]) -> list[R]:
        """What ``work`` gives for each piece.

        ``work`` and what it takes and gives must pickle; a piece may be done more than once.

        Raises:
            StoppedError: quiet work was asked to stop.
        """
        if self._quietly or len(pieces) <= 1:
            return [self._in_driver(work, piece) for piece in pieces]
        context = self._spark.sparkContext
        context.setLocalProperty("spark.scheduler.pool", _POOL)  # of this thread; batches have the default one
        try:
            return context.parallelize(pieces, len(pieces)).map(partial(_in_executor, self._settings, work)).collect()
        finally:
            context.setLocalProperty("spark.scheduler.pool", None)  # type: ignore[arg-type]

    def _in_driver(self, work: Work[T, R], piece: T) -> R:
        began = time.monotonic()
        made = work(self._cql, piece)
        if self._quietly and self._quietly.wait(_REST * (time.monotonic() - began)):
            raise StoppedError
        return made


def _in_executor(settings: Settings, work: Work[T, R], piece: T) -> R:
    return work(worker.cql(settings), piece)


@contextmanager
def garbage_seldom_looked_for() -> Iterator[None]:
    """Events and rows by the ten thousand, none of them in a cycle: looking for cycles takes a sixth of the time.

    For the driver; workers look after each task only (:mod:`clicktrail.job.daemon`).
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
