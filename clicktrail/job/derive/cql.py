"""Reads and writes of the derivations: many at a time, several rows a request.

What a request costs, at both ends, is far more than what a row costs. So rows of one partition go together, and small
partitions too, but never more than ten: from there on Cassandra warns that its coordinator has too much to hand on.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any, TypeVar

from cassandra import OperationTimedOut, ReadTimeout, Unavailable, WriteTimeout
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Session
from cassandra.concurrent import execute_concurrent
from cassandra.protocol import OverloadedErrorMessage
from cassandra.query import tuple_factory

from clicktrail.job.derive.encoding import EncodedBatch, Statement, prepare_session

AT_ONCE = 64
"""Requests in flight."""
_ATTEMPTS = 5
_PATIENCE = 120.0  # seconds for one request
_BUSY = (OperationTimedOut, ReadTimeout, WriteTimeout, Unavailable, OverloadedErrorMessage)
BATCH_PARTITIONS = 10
"""Partitions of a batch, at most: ``unlogged_batch_across_partitions_warn_threshold``."""
BATCH_BYTES = 40_000
"""Size of a batch, at most, as Cassandra counts it: it refuses more than 50 KiB (``batch_size_fail_threshold``)."""

logger = logging.getLogger(__name__)

Row = tuple[Any, ...]
T = TypeVar("T")


class Cql:
    """Prepared statements of one session."""

    def __init__(self, session: Session, at_once: int = AT_ONCE) -> None:
        """Nothing is prepared yet; ``at_once``: requests in flight."""
        prepare_session(session)
        self._session = session
        self._at_once = at_once
        self._prepared: dict[str, Statement] = {}

    @cached_property
    def _profile(self) -> Any:
        return self._session.execution_profile_clone_update(
            EXEC_PROFILE_DEFAULT, row_factory=tuple_factory, request_timeout=_PATIENCE
        )

    def read(self, statement: str, keys: Sequence[Sequence[Any]]) -> list[list[Row]]:
        """The rows of a SELECT for each key, in the order of the keys. A value for ``IN ?`` is a list."""
        if not keys:
            return []
        prepared = self.prepare(statement)
        return [list(rows) for rows in self.execute([prepared.bound(key) for key in keys])]

    def stream(self, statement: str, keys: Sequence[Sequence[Any]], at_once: int) -> Iterator[Row]:
        """The rows of a SELECT for all keys; of each key's no more than ``at_once`` are held in memory."""
        prepared = self.prepare(statement)
        asked = [prepared.bound(key) for key in keys]
        for one in asked:
            one.fetch_size = at_once
        for rows in self.execute(asked):
            yield from rows

    def one(self, statement: str, key: Sequence[Any]) -> list[Row]:
        """The rows of one SELECT."""
        return self.read(statement, [key])[0]

    def write(self, writes: Iterable[Write]) -> None:
        """Carry out writes in any order: their write times decide, not their order."""
        by_partition: dict[tuple[Any, ...], list[Write]] = defaultdict(list)
        for write in writes:
            by_partition[write.partition].append(write)
        self.execute(list(self._batches(by_partition.values())))

    def _batches(self, partitions: Iterable[list[Write]]) -> Iterator[EncodedBatch]:
        """What goes into one request each: within the limits of partitions and bytes."""
        batch: EncodedBatch | None = None
        number = 0
        for partition in partitions:
            number += 1
            for write in partition:
                statement = self.prepare(write.statement)
                row = statement.row(write.values)
                size = statement.size(row, write.values)
                if batch is not None and (number > BATCH_PARTITIONS or batch.size + size > BATCH_BYTES):
                    yield batch
                    batch, number = None, 1
                if batch is None:
                    batch = EncodedBatch(statement.keyspace, statement.routing_key(write.values))
                batch.take(statement, row, size)
        if batch is not None:
            yield batch

    def execute(self, statements: Sequence[Any]) -> list[Any]:
        """The results in the order of the statements; what a busy server did not do in time is asked for again."""
        results: list[Any] = [None] * len(statements)
        left = list(range(len(statements)))
        for attempt in range(1, _ATTEMPTS + 1):
            asked = [(statements[place], None) for place in left]
            answers = execute_concurrent(
                self._session, asked, self._at_once, raise_on_first_error=False, execution_profile=self._profile
            )
            failed = []
            for place, (done, result) in zip(left, answers, strict=True):
                if done:
                    results[place] = result
                elif attempt == _ATTEMPTS or not isinstance(result, _BUSY):
                    raise result
                else:
                    failed.append(place)
            if not failed:
                break
            logger.warning("%d of %d requests got no answer in time, asking again", len(failed), len(left))
            time.sleep(2**attempt)
            left = failed
        return results

    def prepare(self, statement: str) -> Statement:
        """The statement, prepared once."""
        found = self._prepared.get(statement)
        if found is None:
            found = self._prepared[statement] = Statement(self._session.prepare(statement))
        return found


class Write:
    """An INSERT or DELETE with its values, and the partition it belongs to."""

    __slots__ = ("partition", "statement", "values")

    def __init__(self, partition: tuple[Any, ...], statement: str, values: Sequence[Any]) -> None:
        """``partition`` begins with the table's name."""
        self.partition = partition
        self.statement = statement
        self.values = values


@lru_cache(maxsize=256)
def insert(table: str, columns: tuple[str, ...]) -> str:
    """An INSERT of all ``columns``, its write time last."""
    marks = ", ".join("?" for _ in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) USING TIMESTAMP ?"


def chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Values in pieces of at most ``size``."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
