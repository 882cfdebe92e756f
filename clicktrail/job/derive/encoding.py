"""Statements as they go over the wire.

The driver's own ``bind`` looks up what a column is for each cell of each row, and frames each for itself, which costs
more than all the rest of the work on a row. Here it is looked up once a statement, and a row is a piece of bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from typing import Any

from cassandra.protocol import BatchMessage, ProtocolHandler
from cassandra.query import BatchStatement, BatchType, BoundStatement, PreparedStatement

from clicktrail.job.cells import UNSET

_INT64 = struct.Struct(">q").pack
_UINT32 = struct.Struct(">I").pack
_INT32 = struct.Struct(">i").pack
_SHORT = struct.Struct(">H").pack
_DOUBLE = struct.Struct(">d").pack
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_WITHOUT_ZONE = datetime(1970, 1, 1)
_EPOCH_DAY = 2**31 - date(1970, 1, 1).toordinal()
_MILLISECOND = timedelta(milliseconds=1)
_ROW, _CELL, _ELEMENT = 60, 24, 40  # bytes that come on top of what a row, a cell, an element of a collection holds

Encoder = Callable[[Any], bytes]


class Statement:
    """A prepared statement, and how its values are encoded."""

    def __init__(self, prepared: PreparedStatement) -> None:
        """``prepared`` is by the session that will execute it."""
        self._prepared = prepared
        kinds = [column.type for column in prepared.column_metadata]
        self._encoders = tuple(_encoder(kind, prepared.protocol_version) for kind in kinds)
        self._collections = tuple(n for n, kind in enumerate(kinds) if kind.typename in ("list", "set", "map"))
        self._overhead = _ROW + _CELL * len(kinds)
        query = prepared.query_id
        self.head: bytes = b"\1" + _SHORT(len(query)) + query + _SHORT(len(self._encoders))
        """What stands before a row in a batch."""
        self.keyspace: str = prepared.keyspace

    def bound(self, values: Sequence[Any]) -> BoundStatement:
        """The statement with values for all of its marks."""
        bound = BoundStatement(self._prepared)
        bound.values = [encode(value) for encode, value in zip(self._encoders, values, strict=True)]
        return bound

    def row(self, values: Sequence[Any]) -> bytes:
        """The cells of a row, side by side.

        None stays unset: a null is a tombstone, and a row that may have held more is deleted first.
        """
        cells = []
        for encode, value in zip(self._encoders, values, strict=True):
            if value is None:
                cells.append(UNSET)
            else:
                cell = encode(value)
                cells += (_INT32(len(cell)), cell)
        return b"".join(cells)

    def size(self, row: bytes, values: Sequence[Any] = ()) -> int:
        """Bytes that Cassandra counts a row for in a batch, at most: with each cell and each element goes its time.

        Args:
            row: the cells.
            values: what they are of; needed only where a collection is among them.
        """
        elements = sum([len(values[n] or ()) for n in self._collections]) if values else 0
        return self._overhead + len(row) + _ELEMENT * elements

    def routing_key(self, values: Sequence[Any]) -> bytes | None:
        """The partition's key on the wire, where the values name it."""
        places = self._prepared.routing_key_indexes
        if not places:
            return None
        parts = [self._encoders[place](values[place]) for place in places]
        return parts[0] if len(parts) == 1 else b"".join(_SHORT(len(part)) + part + b"\0" for part in parts)


class EncodedBatch(BatchStatement):  # type: ignore[misc]
    """An unlogged batch of rows that are encoded; a session takes it after :func:`prepare_session`."""

    def __init__(self, keyspace: str, routing_key: bytes | None) -> None:
        """No row yet; the routing key is that of the first."""
        super().__init__(BatchType.UNLOGGED)
        self.keyspace = keyspace
        self.routing_key = routing_key
        self._statements_and_parameters = _Rows()
        self.size = 0
        """As Cassandra counts it, at least."""

    def take(self, statement: Statement, row: bytes, size: int) -> None:
        """Add a row of this ``Statement.size``."""
        self._statements_and_parameters += (statement.head, row)
        self.size += size


def prepare_session(session: Any) -> None:
    """Have a session take encoded batches."""
    session.client_protocol_handler = _Protocol


class _Rows(list[bytes]):
    """Heads and rows in turn."""


class _EncodedMessage(BatchMessage):  # type: ignore[misc]
    """A batch whose queries are ``_Rows``; what stands around them the driver writes."""

    queries: Any

    def send_body(self, f: Any, protocol_version: int) -> None:
        rows: _Rows = self.queries
        empty = BytesIO()
        try:
            self.queries = ()
            super().send_body(empty, protocol_version)
        finally:
            self.queries = rows
        kind, around = empty.getvalue()[:1], empty.getvalue()[3:]
        f.write(b"".join((kind, _SHORT(len(rows) // 2), *rows, around)))


class _Protocol(ProtocolHandler):  # type: ignore[misc]
    """The driver's, for encoded batches too."""

    @classmethod
    def encode_message(cls, msg: Any, *args: Any, **options: Any) -> bytes:
        if isinstance(msg, BatchMessage) and isinstance(msg.queries, _Rows):
            msg.__class__ = _EncodedMessage
        encoded: bytes = super().encode_message(msg, *args, **options)
        return encoded


def _timestamp(moment: datetime | int) -> bytes:
    """A moment, or milliseconds since 1970."""
    if isinstance(moment, int):
        return _INT64(moment)
    return _INT64((moment - (_EPOCH if moment.tzinfo else _EPOCH_WITHOUT_ZONE)) // _MILLISECOND)


@lru_cache(maxsize=65_536)
def _date(day: date) -> bytes:
    return _UINT32(day.toordinal() + _EPOCH_DAY)


def _boolean(value: bool) -> bytes:
    return b"\1" if value else b"\0"


_ENCODERS: dict[str, Encoder] = {
    "text": str.encode,
    "varchar": str.encode,
    "blob": bytes,
    "timestamp": _timestamp,
    "date": _date,
    "boolean": _boolean,
    "int": _INT32,
    "bigint": _INT64,
    "double": _DOUBLE,
}


def _encoder(kind: Any, protocol: int) -> Encoder:
    """How values of a column's type are encoded: collections as lists only, other types as the driver does it."""
    if kind.typename in _ENCODERS:
        return _ENCODERS[kind.typename]
    if kind.typename == "list":
        return _list(_encoder(kind.subtypes[0], protocol))
    return lambda value: bytes(kind.serialize(value, protocol))


def _list(encode: Encoder) -> Encoder:
    def encoded(values: Sequence[Any]) -> bytes:
        cells = [encode(value) for value in values]
        return b"".join((_INT32(len(cells)), *(part for cell in cells for part in (_INT32(len(cell)), cell))))

    return encoded
