"""Reads and writes of the derivations: many at a time, rows of one partition together."""

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
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, PreparedStatement, tuple_factory

_AT_ONCE = 64
_ATTEMPTS = 5
_PATIENCE = 120.0  # seconds for one request
_BUSY = (OperationTimedOut, ReadTimeout, WriteTimeout, Unavailable, OverloadedErrorMessage)
_BATCH_ROWS = 50
_BATCH_BYTES = 16_384  # far below batch_size_fail_threshold

logger = logging.getLogger(__name__)

Row = tuple[Any, ...]
T = TypeVar("T")


class Cql:
    """Prepared statements of one session."""

    def __init__(self, session: Session) -> None:
        """Nothing is prepared yet."""
        self._session = session
        self._prepared: dict[str, PreparedStatement] = {}

    @cached_property
    def _profile(self) -> Any:
        return self._session.execution_profile_clone_update(
            EXEC_PROFILE_DEFAULT, row_factory=tuple_factory, request_timeout=_PATIENCE
        )

    def read(self, statement: str, keys: Sequence[Sequence[Any]]) -> list[list[Row]]:
        """The rows of a SELECT for each key, in the order of the keys."""
        if not keys:
            return []
        prepared = self._prepare(statement)
        return [list(rows) for rows in self._execute([(prepared, key) for key in keys])]

    def one(self, statement: str, key: Sequence[Any]) -> list[Row]:
        """The rows of one SELECT."""
        return self.read(statement, [key])[0]

    def write(self, writes: Iterable[Write]) -> None:
        """Carry out writes in any order: their write times decide, not their order."""
        by_partition: dict[tuple[Any, ...], list[Write]] = defaultdict(list)
        for write in writes:
            by_partition[write.partition].append(write)
        together = [part for writes in by_partition.values() for part in _cut(writes)]
        self._execute([self._bound(part) for part in together])

    def _execute(self, statements: list[tuple[Any, Any]]) -> list[Any]:
        """The results in the order of the statements; what a busy server did not do in time is asked for again."""
        results: list[Any] = [None] * len(statements)
        left = list(range(len(statements)))
        for attempt in range(1, _ATTEMPTS + 1):
            asked = [statements[place] for place in left]
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

    def _bound(self, writes: list[Write]) -> tuple[Any, Any]:
        if len(writes) == 1:
            return self._prepare(writes[0].statement), writes[0].bound
        batch = BatchStatement(BatchType.UNLOGGED)
        for write in writes:
            batch.add(self._prepare(write.statement), write.bound)
        return batch, None

    def _prepare(self, statement: str) -> PreparedStatement:
        if statement not in self._prepared:
            self._prepared[statement] = self._session.prepare(statement)
        return self._prepared[statement]


class Write:
    """An INSERT or DELETE with its values, and the partition it belongs to."""

    __slots__ = ("partition", "statement", "values")

    def __init__(self, partition: tuple[Any, ...], statement: str, values: Sequence[Any]) -> None:
        """``partition`` begins with the table's name."""
        self.partition = partition
        self.statement = statement
        self.values = values

    @property
    def bound(self) -> tuple[Any, ...]:
        """The values, None left unset: a null is a tombstone, and a row that may have held more is deleted first."""
        return tuple(UNSET_VALUE if value is None else value for value in self.values)

    @property
    def size(self) -> int:
        """About how many bytes it takes on the wire."""
        return 100 + sum(4 * len(value) if isinstance(value, str) else 16 for value in self.values)


def insert(table: str, columns: Sequence[str]) -> str:
    """An INSERT of all ``columns``, its write time last."""
    marks = ", ".join("?" for _ in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) USING TIMESTAMP ?"


def chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Values in pieces of at most ``size``."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _cut(writes: list[Write]) -> Iterable[list[Write]]:
    part: list[Write] = []
    size = 0
    for write in writes:
        if part and (len(part) == _BATCH_ROWS or size + write.size > _BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append(write)
        size += write.size
    if part:
        yield part
