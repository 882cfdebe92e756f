"""The event store, ``events_by_user_day``: rows in as the decoder encoded them, stored events out by their keys."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cassandra.cluster import Session

from clicktrail.events import FIELD_NAMES, FIELDS
from clicktrail.job import cells
from clicktrail.job.derive.cql import BATCH_BYTES, BATCH_PARTITIONS, Cql, chunks, insert
from clicktrail.job.derive.encoding import EncodedBatch
from clicktrail.job.times import as_date, write_time

TABLE = "events_by_user_day"
_KEYS_A_READ = 50

_OPTIONAL = tuple(field.name for field in FIELDS if not field.required)
_PLACES = tuple(FIELD_NAMES.index(name) for name in _OPTIONAL)
_TIME = "to_unix_timestamp({})".format
_READ = (
    f"SELECT {_TIME('event_time')}, event_id, {_TIME('received_at')}, source_offset, event_type, is_bot, site, "
    f"page_path, {', '.join(_OPTIONAL)} FROM {TABLE} WHERE user_id = ? AND day = ? AND (event_time, event_id) IN ?"
)


class VisitorDay(NamedTuple):
    """A partition of the store; ``day`` in days since 1970."""

    user_id: str
    day: int


Key = tuple[int, str]
"""Which event of a visitor's day: time (milliseconds since 1970) and id."""


class Stored(NamedTuple):
    """What the store holds of an event, as far as a later content of it has to know."""

    write_time: int
    """Microseconds."""
    page: tuple[str, str] | None
    """Site and path, where it is the view of a page."""
    is_bot: bool
    there: tuple[bool, ...]
    """Of each field that need not be there, whether it is."""

    def would_keep(self, row: bytes) -> bool:
        """Whether ``row``, written over it, would leave a value that it does not have itself."""
        new = list(cells.split(row))
        return any(there and new[place] == cells.UNSET for there, place in zip(self.there, _PLACES, strict=True))


class EventStore:
    """The table through one session."""

    def __init__(self, session: Session) -> None:
        """Nothing is prepared yet."""
        self._cql = Cql(session)
        self._metadata = session.cluster.metadata
        self._insert = self._cql.prepare(insert(TABLE, FIELD_NAMES))

    def write(self, rows: Iterable[tuple[VisitorDay, bytes]]) -> None:
        """Write rows (``decode.event_cells``); best sorted by visitor's day. Returns when all are acknowledged."""
        self._cql.execute(list(self._batches(rows)))

    def _batches(self, rows: Iterable[tuple[VisitorDay, bytes]]) -> Iterator[EncodedBatch]:
        """The rows in batches, each of partitions that the same servers hold: one request serves them all."""
        insert, filling = self._insert, dict[tuple[Any, ...], _Filling]()
        place: tuple[Any, ...] = ()
        key, last = b"", None
        for day, row in rows:
            new = day != last
            if new:
                last, key = day, _routing_key(day)
                place = tuple(self._metadata.get_replicas(insert.keyspace, key))
            known = filling.get(place)
            size = insert.size(row)
            if known is None or not known.has_room(size, new=new):
                if known is not None:
                    yield known.batch
                known = filling[place] = _Filling(EncodedBatch(insert.keyspace, key))
            known.batch.take(insert, row, size)
            known.partitions += new or not known.partitions
        for known in filling.values():
            yield known.batch

    def read(self, wanted: Mapping[VisitorDay, Sequence[Key]]) -> dict[VisitorDay, dict[Key, Stored]]:
        """What is stored of these events; those that are not there are left out."""
        asked = [(day, some) for day, keys in wanted.items() for some in chunks(keys, _KEYS_A_READ)]
        found: dict[VisitorDay, dict[Key, Stored]] = {day: {} for day in wanted}
        for (day, _), rows in zip(
            asked, self._cql.read(_READ, [(user_id, as_date(day), some) for (user_id, day), some in asked]), strict=True
        ):
            for time, event_id, received_at, offset, kind, is_bot, site, path, *optional in rows:
                page = (site, path) if kind == "page" and path is not None else None
                there = tuple(value is not None for value in optional)
                found[day][time, event_id] = Stored(write_time(received_at, offset), page, is_bot, there)
        return found


def _routing_key(day: VisitorDay) -> bytes:
    """The partition key on the wire."""
    user = day.user_id.encode()
    return b"%b%b\0\0\4%b\0" % (struct.pack(">H", len(user)), user, struct.pack(">I", day.day + 2**31))


@dataclass
class _Filling:
    """A batch that may take more."""

    batch: EncodedBatch
    partitions: int = 0

    def has_room(self, size: int, *, new: bool) -> bool:
        """Whether a row of this size fits in; ``new``: of another partition than the one before."""
        return self.batch.size + size <= BATCH_BYTES and self.partitions + new <= BATCH_PARTITIONS
