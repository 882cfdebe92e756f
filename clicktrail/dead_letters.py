"""Dead letters: what was rejected, by hour of the broker's clock, and how it is sent again after a fix."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args

from clicktrail.errors import ClicktrailError
from clicktrail.events import DeadLetterReason

SHARDS = 16
_HOUR = dt.timedelta(hours=1)
_MOST_HOURS = 24 * 366
_CHUNK = 24  # hours that are asked for at once


@dataclass(frozen=True)
class DeadLetter:
    """One rejected record, as it came in."""

    received_at: dt.datetime
    """The broker's time, UTC."""
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str | None
    key: bytes | None
    original: bytes | None


def hours(start: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    """The full hours (UTC) that ``start`` to ``end`` touches.

    Raises:
        ClicktrailError: the end lies before the start, or over a year behind it.
    """
    first = start.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
    if end < start:
        raise ClicktrailError(f"The range ends ({end.isoformat()}) before it begins ({start.isoformat()})")
    count = int((end.astimezone(dt.UTC) - first) / _HOUR) + 1
    if count > _MOST_HOURS:
        raise ClicktrailError("A range of over a year is too long; ask for it in parts")
    return [first + number * _HOUR for number in range(count)]


def checked_reason(reason: str | None) -> str | None:
    """The reason as the enumeration has it.

    Raises:
        ClicktrailError: there is no such reason.
    """
    known = [one.value for one in DeadLetterReason]
    if reason is None or reason in known:
        return reason
    raise ClicktrailError(f"There is no reason {reason!r}; there are: {', '.join(known)}")


def read(session: Session, start: dt.datetime, end: dt.datetime, reason: str | None = None) -> Iterator[DeadLetter]:
    """The dead letters that the broker took from ``start`` to ``end``, by time, then by place.

    Raises:
        ClicktrailError: a range or a reason that cannot be.
    """
    wanted, asked = checked_reason(reason), hours(start, end)
    statement = session.prepare(
        "SELECT topic, partition, offset, reason, detail, record_key, original, received_at FROM dead_letters "
        "WHERE hour = ? AND shard = ?"
    )
    for index in range(0, len(asked), _CHUNK):
        places = [(hour, shard) for hour in asked[index : index + _CHUNK] for shard in range(SHARDS)]
        results = execute_concurrent_with_args(session, statement, places, concurrency=32, raise_on_first_error=True)
        found = [_letter(row) for _, rows in results for row in rows]
        chosen = [letter for letter in found if start <= letter.received_at <= end and wanted in (None, letter.reason)]
        yield from sorted(
            chosen, key=lambda letter: (letter.received_at, letter.topic, letter.partition, letter.offset)
        )


def by_reason(letters: Iterable[DeadLetter]) -> dict[str, int]:
    """How many there are of each reason, the most frequent first."""
    counts: dict[str, int] = {}
    for letter in letters:
        counts[letter.reason] = counts.get(letter.reason, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _letter(row: object) -> DeadLetter:
    values = dict(row._asdict())  # type: ignore[attr-defined]  # the driver's rows are named tuples
    return DeadLetter(
        received_at=values["received_at"].replace(tzinfo=dt.UTC),
        topic=values["topic"],
        partition=values["partition"],
        offset=values["offset"],
        reason=values["reason"],
        detail=values["detail"],
        key=values["record_key"],
        original=values["original"],
    )
