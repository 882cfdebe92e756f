"""Traffic by day: what each visitor adds to a day, and the sum of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple, TypeVar

from clicktrail.job.derive.event import DAY, Event
from clicktrail.job.derive.sessions import Session

MOST_SITES = 50
"""Sites that a day's row names; beyond that the ones with the fewest views are left out."""
MOST_SITES_OF_A_VISITOR = 1_000
HOUR = 3_600_000
_NONE: dict[str, int] = {}
K = TypeVar("K")

Part = dict[str, Any]
"""What one visitor adds to one day, as it is stored in ``visitor_parts``; what is zero is left out."""


class Traffic(NamedTuple):
    """A row of ``traffic_by_day``. Figures are of people, except those that name bots."""

    month: str
    day: date
    events: int
    views: int
    visitors: int
    sessions: int
    bounces: int
    orders: int
    revenue: float
    session_seconds: float
    bot_events: int
    bot_views: int
    bot_visitors: int
    views_by_hour: list[int]
    views_by_site: dict[str, int]
    sessions_by_channel: dict[str, int]
    sessions_by_device: dict[str, int]
    sessions_by_country: dict[str, int]


def part(events: Iterable[Event], sessions: Iterable[Session]) -> Part:
    """What a visitor adds to a day: the events of that day and the sessions that begin on it."""
    figures: dict[str, int] = {}
    viewed: list[Event] = []
    for event in events:
        kind, view_kind = ("bot_events", "bot_views") if event.is_bot else ("events", "views")
        figures[kind] = figures.get(kind, 0) + 1
        if event.is_page_call:
            figures[view_kind] = figures.get(view_kind, 0) + 1
            if not event.is_bot:
                viewed.append(event)
    hours = _counts([event.time % DAY // HOUR for event in viewed])
    sites = _counts([event.site or "unknown" for event in viewed])
    made = [session for session in sessions if not session.is_bot]
    found: Part = {
        **figures,
        "sessions": len(made),
        "bounces": sum(session.bounce for session in made),
        "orders": sum(session.orders for session in made),
        "revenue": round(math.fsum(session.revenue for session in made), 2),
        "session_seconds": math.fsum(session.duration_seconds for session in made),
        "views_by_hour": {str(hour): views for hour, views in hours.items()},
        "views_by_site": _largest(sites, MOST_SITES_OF_A_VISITOR),
        "sessions_by_channel": _counts([session.channel for session in made]),
        "sessions_by_device": _counts([session.device_type or "unknown" for session in made]),
        "sessions_by_country": _counts([session.country or "unknown" for session in made]),
    }
    return {name: value for name, value in found.items() if value}


def total(day: date, parts: Iterable[Part]) -> Traffic | None:
    """A day's row from the parts of all its visitors; None for a day without any."""
    listed = [one for one in parts if one]
    if not listed:
        return None

    def whole(name: str) -> int:
        return int(sum([one[name] for one in listed if name in one]))

    def exact(name: str, digits: int) -> float:
        return round(math.fsum([one[name] for one in listed if name in one]), digits)

    def merged(name: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        for one in listed:
            for key, count in one.get(name, _NONE).items():
                counts[key] = counts.get(key, 0) + count
        return counts

    hours = merged("views_by_hour")
    return Traffic(
        month=f"{day:%Y-%m}",
        day=day,
        events=whole("events"),
        views=whole("views"),
        visitors=sum("events" in one for one in listed),
        sessions=whole("sessions"),
        bounces=whole("bounces"),
        orders=whole("orders"),
        revenue=exact("revenue", 2),
        session_seconds=exact("session_seconds", 3),
        bot_events=whole("bot_events"),
        bot_views=whole("bot_views"),
        bot_visitors=sum("bot_events" in one for one in listed),
        views_by_hour=[hours.get(str(hour), 0) for hour in range(24)],
        views_by_site=_largest(merged("views_by_site"), MOST_SITES),
        sessions_by_channel=merged("sessions_by_channel"),
        sessions_by_device=merged("sessions_by_device"),
        sessions_by_country=merged("sessions_by_country"),
    )


def _counts(values: Iterable[K]) -> dict[K, int]:
    """How often each value comes; of a handful of values in a quarter of a ``Counter``'s time."""
    counts: dict[K, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts


def _largest(counts: Mapping[str, int], number: int) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:number])
