"""Pieces of work on Spark's executors: each of them reads, derives and writes on its own."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from clicktrail.job import worker
from clicktrail.job.derive.cql import Cql
from clicktrail.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[Cql, T], R]


def each(spark: SparkSession, settings: Settings, cql: Cql, work: Work[T, R], pieces: Sequence[T]) -> list[R]:
    """What ``work`` gives for each of the pieces.

    A single piece is done in the driver, with its ``cql``, before a job of Spark's would have begun. ``work`` and what
    it takes and gives must pickle; a piece may be done more than once.
    """
    if len(pieces) <= 1:
        return [work(cql, piece) for piece in pieces]
    return spark.sparkContext.parallelize(pieces, len(pieces)).map(partial(_in_executor, settings, work)).collect()


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
