"""Times: from what clients send to milliseconds since 1970 (UTC), and from there to text."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from clicktrail.events import DeadLetterReason as Reason
from clicktrail.job.strict_json import Rejected

MILLISECONDS_A_DAY = 86_400_000
YEAR_2000 = 946_684_800_000
"""2000-01-01T00:00:00Z in milliseconds."""
YEAR_10000 = 253_402_300_800_000
"""The end of 9999 in milliseconds: no calendar of this project goes further."""
TOLERANCE = 3_600_000
"""Milliseconds that a client's clock may be ahead of the broker's; and how far behind it an event counts as late."""
_SECONDS_END = 100_000_000_000  # read as milliseconds 1973, as seconds the year 5138: nobody means the first

_WRITES_A_MILLISECOND = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(value: object, name: str) -> int:
    """A client's time, ISO 8601 text (without a zone: UTC) or a number of milliseconds, in milliseconds since 1970.

    Raises:
        Rejected: neither of the two, or a number of seconds.
    """
    if type(value) is str:
        return _from_text(value, name)
    if type(value) is int or type(value) is float:
        if abs(value) < _SECONDS_END and value > 0:
            raise Rejected(Reason.TIME_IN_SECONDS, f"{name} {value} is in seconds; milliseconds are wanted")
        return int(value)
    raise Rejected(Reason.WRONG_TYPE, f"{name} must be a text or a number, not {type(value).__name__}")


def _from_text(text: str, name: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        raise Rejected(Reason.UNREADABLE_TIME, f"{name} {text[:60]!r} is no ISO 8601 time") from None


def canonical(text: str) -> int | None:
    """Milliseconds of a time that is written as :func:`iso` writes it, else ``None``.

    Most are: they are read five times as fast as others, and need not be written anew.
    """
    fraction = _FRACTIONS.get(text[19:])
    second = None if fraction is None else _canonical_second(text[:19])
    return None if fraction is None or second is None else second * 1000 + fraction


_FRACTIONS = {f".{fraction:03d}Z": fraction for fraction in range(1000)}


@lru_cache(maxsize=65_536)
def _canonical_second(text: str) -> int | None:
    try:
        second = _from_text(text, "") // 1000
    except Rejected:
        return None
    return second if _second(second) == text else None


def checked(moment: int, broker: int) -> int:
    """``moment`` where it lies between 2000 and the broker's time + 1 h (both in milliseconds).

    Raises:
        Rejected: outside of them.
    """
    if moment < YEAR_2000:
        raise Rejected(Reason.TIME_BEFORE_2000, f"timestamp {_readable(moment)} is before 2000")
    if moment > broker + TOLERANCE:
        raise Rejected(
            Reason.TIME_IN_FUTURE,
            f"timestamp {_readable(moment)} is over an hour after the broker's time {_readable(broker)}",
        )
    return moment


def _readable(moment: int) -> str:
    try:
        return iso(moment)
    except (ValueError, OverflowError):
        return f"{moment:.6g} ms"


def iso(moment: int) -> str:
    """Milliseconds since 1970 as ``2026-11-21T09:00:00.123Z``."""
    return f"{_second(moment // 1000)}.{moment % 1000:03d}Z"


@lru_cache(maxsize=65_536)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=65_536)
def as_date(days: int) -> date:
    """Days since 1970 as a date."""
    return date(1970, 1, 1) + timedelta(days=days)


def write_time(received_at: int, offset: int) -> int:
    """A record's write time in Cassandra (µs) from its broker's time (ms): the offset orders a millisecond."""
    return received_at * 1_000 + offset % _WRITES_A_MILLISECOND
