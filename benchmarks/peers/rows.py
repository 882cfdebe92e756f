"""Events as rows of ``events_by_user_day``, for the peers in Python: cells encoded once, batches of one partition.

The driver's own ``bind`` looks at each value's type anew, which costs more than all the rest of the work on a row; the
columns are known here, so that their encoders are too.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, BoundStatement, PreparedStatement

from benchmarks.work import CONSISTENCY, Work
from clicktrail.events import FIELDS

Row = tuple[Mapping[str, Any], int]
"""The fields of an event as ``decode`` gives them, and its write time (microseconds)."""

_INT64 = struct.Struct(">q").pack
_UINT32 = struct.Struct(">I").pack
_INT32 = struct.Struct(">i").pack
_DOUBLE = struct.Struct(">d").pack
_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "text": str.encode,
    "timestamp": _INT64,
    "date": lambda days: _UINT32(days + 2**31),
    "boolean": lambda value: b"\1" if value else b"\0",
    "int": _INT32,
    "bigint": _INT64,
    "double": _DOUBLE,
}
_COLUMNS = tuple((field.name, _ENCODERS[field.kind]) for field in FIELDS)


class Store:
    """A connection, and the one statement that is needed."""

    def __init__(self, work: Work) -> None:
        profile = ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy()),
            consistency_level=ConsistencyLevel.name_to_value[CONSISTENCY],
            request_timeout=60.0,
        )
        self._cluster = Cluster(
            [work.contact_point],
            port=work.cassandra_port,
            protocol_version=4,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            connect_timeout=60.0,
            control_connection_timeout=60.0,
        )
        self.session: Session = self._cluster.connect()
        names = [field.name for field in FIELDS]
        self._insert: PreparedStatement = self.session.prepare(
            f"INSERT INTO {work.keyspace}.events_by_user_day ({', '.join(names)}) "
            f"VALUES ({', '.join('?' * len(names))}) USING TIMESTAMP ?"
        )

    def bound(self, row: Row) -> BoundStatement:
        """One row's insert; fields without a value stay unset."""
        fields, moment = row
        get = fields.get
        statement = BoundStatement(self._insert)
        values = [UNSET_VALUE if (value := get(name)) is None else encode(value) for name, encode in _COLUMNS]
        values.append(_INT64(moment))
        statement.values = values
        return statement

    def statements(self, rows: Iterable[Row], rows_per_batch: int) -> Iterator[BoundStatement | BatchStatement]:
        """The rows as unlogged batches of one partition each, of at most so many rows."""
        for same in by_partition(rows):
            for start in range(0, len(same), rows_per_batch):
                part = same[start : start + rows_per_batch]
                if len(part) == 1:
                    yield self.bound(part[0])
                    continue
                batch = BatchStatement(BatchType.UNLOGGED)
                for row in part:
                    batch.add(self.bound(row))
                yield batch

    def write(self, rows: Sequence[Row], rows_per_batch: int, concurrency: int) -> None:
        """Write all rows, and return when Cassandra has acknowledged them.

        Raises:
            Exception: the driver's, for the first request that failed.
        """
        from cassandra.concurrent import execute_concurrent

        statements = ((statement, ()) for statement in self.statements(rows, rows_per_batch))
        execute_concurrent(self.session, statements, concurrency=concurrency, raise_on_first_error=True)

    def close(self) -> None:
        """Disconnect."""
        self._cluster.shutdown()


def by_partition(rows: Iterable[Row]) -> Iterable[list[Row]]:
    """Rows of one visitor's day together."""
    found: defaultdict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        fields = row[0]
        found[fields["user_id"], fields["day"]].append(row)
    return found.values()
