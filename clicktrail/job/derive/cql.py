"""Reads and writes of the derivations: many at a time, several rows a request.

What a request costs, at both ends, is far more than what a row costs. So rows of one partition go together, and small
partitions too, but never more than ten: from there on Cassandra warns that its coordinator has too much to hand on.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeVar

from cassandra import OperationTimedOut, ReadTimeout, Unavailable, WriteTimeout
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Session
from cassandra.concurrent import execute_concurrent
from cassandra.protocol import OverloadedErrorMessage
from cassandra.query import BatchStatement, BatchType, BoundStatement, tuple_factory

from clicktrail.job.derive.encoding import Statement

_AT_ONCE = 64
_ATTEMPTS = 5
_PATIENCE = 120.0  # seconds for one request
_BUSY = (OperationTimedOut, ReadTimeout, WriteTimeout, Unavailable, OverloadedErrorMessage)
_BATCH_ROWS = 50
_BATCH_PARTITIONS = 10  # unlogged_batch_across_partitions_warn_threshold
_BATCH_BYTES = 32_768  # batch_size_fail_threshold is 51,200

logger = logging.getLogger(__name__)

Row = tuple[Any, ...]
Sized = tuple[int, BoundStatement]
"""A write and its size in bytes."""
T = TypeVar("T")


class Cql:
    """Prepared statements of one session."""

    def __init__(self, session: Session) -> None:
        """Nothing is prepared yet."""
        self._session = session
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
        prepared = self._prepare(statement)
        return [list(rows) for rows in self._execute([prepared.bound(key) for key in keys])]

    def one(self, statement: str, key: Sequence[Any]) -> list[Row]:
        """The rows of one SELECT."""
        return self.read(statement, [key])[0]

    def write(self, writes: Iterable[Write]) -> None:
        """Carry out writes in any order: their write times decide, not their order."""
        by_partition: dict[tuple[Any, ...], list[Sized]] = defaultdict(list)
        for write in writes:
            statement = self._prepare(write.statement)
            bound = statement.bound(write.values)
            by_partition[write.partition].append((statement.size(bound), bound))
        self._execute([_together(part) for part in _batches(by_partition.values())])

    def _execute(self, statements: list[Any]) -> list[Any]:
        """The results in the order of the statements; what a busy server did not do in time is asked for again."""
        results: list[Any] = [None] * len(statements)
        left = list(range(len(statements)))
        for attempt in range(1, _ATTEMPTS + 1):
            asked = [(statements[place], None) for place in left]
            answers = execute_concurrent(
                self._session, asked, _AT_ONCE, raise_on_first_error=False, execution_profile=self._profile
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

    def _prepare(self, statement: str) -> Statement:
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


def insert(table: str, columns: Sequence[str]) -> str:
    """An INSERT of all ``columns``, its write time last."""
    marks = ", ".join("?" for _ in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) USING TIMESTAMP ?"


def chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Values in pieces of at most ``size``."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _batches(partitions: Iterable[list[Sized]]) -> Iterator[list[BoundStatement]]:
    """What goes into one request each: within the limits of rows, partitions and bytes."""
    batch: list[BoundStatement] = []
    number = left = 0
    for partition in partitions:
        number += 1
        for size, bound in partition:
            if batch and (len(batch) == _BATCH_ROWS or number > _BATCH_PARTITIONS or size > left):
                yield batch
                batch, number = [], 1
            if not batch:
                left = _BATCH_BYTES
            batch.append(bound)
            left -= size
    if batch:
        yield batch


def _together(bound: list[BoundStatement]) -> BoundStatement | BatchStatement:
    if len(bound) == 1:
        return bound[0]
    batch = BatchStatement(BatchType.UNLOGGED)
    for each in bound:
        batch.add(each)
    return batch
