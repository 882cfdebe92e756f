"""A stored event, as far as the derivations look at it."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

DAY = 86_400_000
"""Milliseconds."""
_EPOCH = date(1970, 1, 1)


class Event(NamedTuple):
    """Columns of ``events_by_user_day``, in the order of :data:`COLUMNS`."""

    user_id: str
    time: int
    """``event_time`` in milliseconds since 1970."""
    event_id: str
    event_type: str
    event_name: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    site: str | None = None
    page_path: str | None = None
    referrer_medium: str | None = None
    referrer_source: str | None = None
    campaign_source: str | None = None
    campaign_medium: str | None = None
    campaign_name: str | None = None
    click_id_type: str | None = None
    device_type: str | None = None
    is_bot: bool = False
    country: str | None = None
    order_id: str | None = None
    revenue: float | None = None

    @property
    def is_page_call(self) -> bool:
        """Whether it is the view of a page."""
        return self.event_type == "page" and self.page_path is not None


place = itemgetter(*(Event._fields.index(name) for name in ("time", "event_id", "user_id")))
"""Where an event stands in the order of a visitor's events."""

COLUMNS = tuple("to_unix_timestamp(event_time)" if name == "time" else name for name in Event._fields)
"""The fields of :class:`Event` as CQL selects them."""


def day_of(time: int) -> date:
    """The UTC date of a moment in milliseconds since 1970."""
    return _day(time // DAY)


@lru_cache(maxsize=65_536)
def _day(number: int) -> date:
    return _EPOCH + timedelta(days=number)


@lru_cache(maxsize=65_536)
def _day_as_text(number: int) -> str:
    return _day(number).isoformat()


def start_of(day: date) -> int:
    """The first millisecond of a UTC date, since 1970."""
    return (day - _EPOCH).days * DAY


def iso(time: int) -> str:
    """``2026-11-21T10:15:00.123Z``: text that sorts as time does."""
    day, time = divmod(time, DAY)
    minutes, milliseconds = divmod(time, 60_000)
    return (
        f"{_day_as_text(day)}T{minutes // 60:02d}:{minutes % 60:02d}:"
        f"{milliseconds // 1000:02d}.{milliseconds % 1000:03d}Z"
    )
