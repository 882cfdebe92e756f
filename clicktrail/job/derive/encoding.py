"""Values as cells of Cassandra's protocol.

The driver's own ``bind`` looks up what a column is for each cell of each row, which costs more than all the rest of the
work on a row. Here it is looked up once a statement.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from cassandra.query import UNSET_VALUE, BoundStatement, PreparedStatement

_INT64 = struct.Struct(">q").pack
_UINT32 = struct.Struct(">I").pack
_INT32 = struct.Struct(">i").pack
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

    def bound(self, values: Sequence[Any]) -> BoundStatement:
        """The statement with values for all of its marks.

        None stays unset: a null is a tombstone, and a row that may have held more is deleted first.
        """
        bound = BoundStatement(self._prepared)
        bound.values = [
            UNSET_VALUE if value is None else encode(value)
            for encode, value in zip(self._encoders, values, strict=True)
        ]
        return bound

    def size(self, bound: BoundStatement) -> int:
        """Bytes that Cassandra counts at most for a row in a batch: with each cell and each element goes its time."""
        cells = [value for value in bound.values if value is not UNSET_VALUE]
        elements = [bound.values[n] for n in self._collections if bound.values[n] is not UNSET_VALUE]
        return (
            _ROW
            + _CELL * len(cells)
            + sum(map(len, cells))
            + _ELEMENT * sum([int.from_bytes(value[:4], "big") for value in elements])
        )


def _timestamp(moment: datetime) -> bytes:
    return _INT64((moment - (_EPOCH if moment.tzinfo else _EPOCH_WITHOUT_ZONE)) // _MILLISECOND)


@lru_cache(maxsize=65_536)
def _date(day: date) -> bytes:
    return _UINT32(day.toordinal() + _EPOCH_DAY)


def _boolean(value: bool) -> bytes:
    return b"\1" if value else b"\0"


_ENCODERS: dict[str, Encoder] = {
    "text": str.encode,
    "varchar": str.encode,
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
