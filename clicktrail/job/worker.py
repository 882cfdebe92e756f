"""What Spark's Python workers keep from one task to the next: their connection to Cassandra."""

from __future__ import annotations

from functools import lru_cache

from clicktrail import store
from clicktrail.job.derive.cql import Cql
from clicktrail.settings import Settings


@lru_cache(maxsize=1)
def cql(settings: Settings) -> Cql:
    """This process's statements; connected once, and until the process ends.

    Raises:
        ClicktrailError: no host answers, or the keyspace does not exist.
    """
    return Cql(store.connected(settings))
