"""Fields of an event as Cassandra takes them on the wire: each a cell of length and bytes.

The columns are known here, so that a value is encoded once and joined with its neighbours, in the decoder, where most
parts of an event are kept from one to the next. The driver would look at each of 44 values anew.
Source: the CQL binary protocol, version 4, sections 3 ("[value]") and 6 (data type serialisation).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

UNSET = b"\xff\xff\xff\xfe"
"""A cell that leaves what is stored as it is: in a new row nothing, for which no tombstone is written."""
NULL = b"\xff\xff\xff\xff"
"""A cell that erases what is stored."""

_EPOCH_DAY = 2**31
"""What a date of 1970-01-01 is on the wire."""
_pack_length = struct.Struct(">i").pack
_read_length = struct.Struct(">i").unpack_from
_pack_bigint = struct.Struct(">iq").pack
_pack_two_bigints = struct.Struct(">iqiq").pack
_pack_day_and_time = struct.Struct(">iIiq").pack
_pack_date = struct.Struct(">iI").pack
_pack_int = struct.Struct(">ii").pack
_pack_double = struct.Struct(">id").pack


def _text(value: str) -> bytes:
    encoded = value.encode()
    return _pack_length(len(encoded)) + encoded


_ENCODERS: Mapping[str, Callable[[Any], bytes]] = {
    "text": _text,
    "timestamp": lambda milliseconds: _pack_bigint(8, milliseconds),
    "date": lambda days: _pack_date(4, days + _EPOCH_DAY),
    "boolean": lambda value: b"\0\0\0\1\1" if value else b"\0\0\0\1\0",
    "int": lambda value: _pack_int(4, value),
    "bigint": lambda value: _pack_bigint(8, value),
    "double": lambda value: _pack_double(8, value),
}


def encode(kinds: Iterable[str], values: Iterable[Any]) -> bytes:
    """Values as cells side by side; ``None`` is left unset.

    Args:
        kinds: of each value, as ``clicktrail.events.Field.kind``.
        values: timestamps in milliseconds and dates in days since 1970.
    """
    return b"".join(
        UNSET if value is None else _ENCODERS[kind](value) for kind, value in zip(kinds, values, strict=True)
    )


def head(values: tuple[Any, ...]) -> bytes:
    """The cells of the fields up to ``sent_at``, as :func:`encode` would give them."""
    visitor, day, event_time, event_id, kind, name, anonymous, previous, received_at, sent_at = values
    who = _text(visitor)
    return b"".join(
        (
            who,
            _pack_day_and_time(4, day + _EPOCH_DAY, 8, event_time),
            _text(event_id),
            _short(kind),
            _short(name) if name is None or len(name) < _SHORT else _text(name),
            who if anonymous == visitor else UNSET if anonymous is None else _text(anonymous),
            UNSET if previous is None else _text(previous),
            _pack_bigint(8, received_at) + UNSET if sent_at is None else _pack_two_bigints(8, received_at, 8, sent_at),
        )
    )


def tail(offset: int, write_time: int) -> bytes:
    """The cells of ``source_offset``, and of the write time (microseconds) that an INSERT ends with."""
    return _pack_two_bigints(8, offset, 8, write_time)


_SHORT = 100


@lru_cache(maxsize=1_024)
def _short(value: str | None) -> bytes:
    """Texts that repeat."""
    return UNSET if value is None else _text(value)


def split(cells: bytes) -> Iterator[bytes]:
    """Cells side by side, each for itself."""
    place, end = 0, len(cells)
    while place < end:
        (length,) = _read_length(cells, place)
        after = place + 4 + max(length, 0)
        yield cells[place:after]
        place = after


def erasing(cells: Iterable[bytes]) -> bytes:
    """The same cells, but what they do not set is erased."""
    return b"".join(NULL if cell == UNSET else cell for cell in cells)
