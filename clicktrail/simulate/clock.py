"""Simulated time: when a run took place, when visitors arrive, and how a moment is written."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate

_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(Z|[+-]\d\d:?\d\d)?")
_UNDATED = datetime(2025, 1, 1, tzinfo=UTC)
_QUARTER_HOUR = 900_000
_MOST_BINS = 100_000
# Arrivals by hour of the day (UTC), relative: quiet before dawn, a first peak at noon, the highest in the evening.
_RHYTHM = (14, 9, 6, 5, 5, 8, 16, 30, 46, 56, 62, 67, 70, 66, 62, 61, 63, 69, 80, 94, 100, 86, 55, 29)


def end_of_run(run: str) -> datetime:
    """The moment at which a run's clicks end: a function of its id alone, so that the same run gives the same bytes.

    An id that holds a moment (``manual__2026-11-21T12:00:00+00:00``, as Airflow's do) ends there. Any other id ends
    at some minute of 2025 that its digest picks.
    """
    if found := _STAMP.search(run):
        moment = datetime.fromisoformat(found[1] + (found[2] or "Z"))
        return moment.astimezone(UTC)
    minutes = int.from_bytes(hashlib.sha256(run.encode()).digest()[:8]) % (365 * 24 * 60)
    return _UNDATED + timedelta(minutes=minutes)


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970, UTC."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@lru_cache(maxsize=4096)
def _minute(number: int) -> str:
    return datetime.fromtimestamp(number * 60, UTC).strftime("%Y-%m-%dT%H:%M:")


def stamp(ms: int) -> str:
    """Write a moment as ISO 8601 with milliseconds: ``2026-11-21T12:00:00.000Z``."""
    seconds, rest = divmod(ms, 1000)
    minute, second = divmod(seconds, 60)
    return f"{_minute(minute)}{second:02d}.{rest:03d}Z"


class Rhythm:
    """The arrivals of visitors between two moments, by the hour of the day."""

    def __init__(self, start: int, end: int) -> None:
        """Take the bounds in milliseconds since 1970; ``end`` lies behind ``start``."""
        self._start, self._end = start, end
        self._width = max(_QUARTER_HOUR, (end - start) // _MOST_BINS + 1)
        hours = (moment // 3_600_000 % 24 for moment in range(start, end, self._width))
        self._sums = list(accumulate(_RHYTHM[hour] for hour in hours))

    def moment(self, share: float) -> int:
        """The moment by which ``share`` (0 to 1) of all visitors have arrived."""
        wanted = share * self._sums[-1]
        index = min(bisect(self._sums, wanted), len(self._sums) - 1)
        below = self._sums[index - 1] if index else 0
        inside = (wanted - below) / (self._sums[index] - below)
        return min(self._start + int((index + inside) * self._width), self._end)
