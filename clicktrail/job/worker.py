"""What Spark's Python workers keep from one task to the next: their connections."""

from __future__ import annotations

from functools import lru_cache

from cassandra.cluster import Session

from clicktrail import store
from clicktrail.job.derive.cql import Cql
from clicktrail.job.event_store import EventStore
from clicktrail.job.kafka_sink import KafkaSink
from clicktrail.settings import Settings


@lru_cache(maxsize=1)
def session(settings: Settings) -> Session:
    """This process's connection, open until it ends.

    Raises:
        ClicktrailError: no host answers, or the keyspace does not exist.
    """
    return store.connected(settings)


@lru_cache(maxsize=1)
def cql(settings: Settings) -> Cql:
    """This process's statements."""
    return Cql(session(settings))


@lru_cache(maxsize=1)
def event_store(settings: Settings) -> EventStore:
    """This process's way to the event store."""
    return EventStore(session(settings))


@lru_cache(maxsize=1)
def kafka_sink(settings: Settings) -> KafkaSink:
    """This process's way to Kafka."""
    return KafkaSink(settings)
