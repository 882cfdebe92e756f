"""Visits of many visitors, derived on Spark's executors: each of them reads, derives and writes on its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from clicktrail.job import worker
from clicktrail.job.derive import visits
from clicktrail.job.derive.cql import Cql, chunks
from clicktrail.job.derive.funnels import Funnel
from clicktrail.job.derive.known import Target
from clicktrail.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FEW = 500
"""Visitors that are done in the driver before a job of Spark's would have begun."""


def refresh(
    spark: SparkSession, settings: Settings, cql: Cql, targets: Sequence[Target], funnels: Sequence[Funnel], time: int
) -> set[date]:
    """What :func:`visits.refresh` does, on all executors; ``cql`` is the driver's own, for few targets."""
    if len(targets) <= FEW:
        return visits.refresh(cql, targets, funnels, time)
    pieces = list(chunks(targets, visits.AT_ONCE))
    tasks = spark.sparkContext.parallelize(pieces, len(pieces))
    return set().union(*tasks.map(partial(_refresh, settings, tuple(funnels), time)).collect())


def _refresh(settings: Settings, funnels: Sequence[Funnel], time: int, targets: Sequence[Target]) -> set[date]:
    return visits.refresh(worker.cql(settings), targets, funnels, time)
