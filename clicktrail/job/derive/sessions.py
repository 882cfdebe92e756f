"""Sessions out of the events of one visitor.

Thirty minutes of silence, another campaign, or 24 hours end a session; crawlers' events make sessions of their own. The
events may come in any order: what comes out depends on what they are alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from clicktrail.job.derive.event import DAY, Event, iso, place

SILENCE = 30 * 60_000
"""Milliseconds without an event after which the next one begins a session."""
LONGEST = DAY
"""Milliseconds after a session's first event from which an event begins another."""
ORDER = "Order Completed"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ACTIONS = frozenset({"page", "screen", "track"})
_PAID = frozenset(
    {
        "cpc",
        "ppc",
        "cpm",
        "cpv",
        "cpa",
        "paid",
        "paid-search",
        "paid_search",
        "paidsearch",
        "display",
        "banner",
        "paid_social",
        "paid-social",
    }
)
_EMAIL = frozenset({"email", "e-mail", "mail", "newsletter"})
_SOCIAL = frozenset({"social", "social-media", "social_media", "socialmedia"})
_BY_REFERRER = {
    "search": "search",
    "social": "social",
    "mail": "email",
    "ai_assistant": "ai_assistant",
    "other": "referral",
}


class Session(NamedTuple):
    """A row of ``sessions_by_user``."""

    user_id: str
    month: str
    session_id: str
    started_at: datetime
    ended_at: datetime
    duration_seconds: float
    events: int
    pages: int
    landing_site: str | None
    landing_page: str | None
    exit_page: str | None
    channel: str
    campaign_source: str | None
    campaign_medium: str | None
    campaign_name: str | None
    referrer_source: str | None
    device_type: str | None
    country: str | None
    orders: int
    revenue: float
    bounce: bool
    is_bot: bool


def sessions(events: Iterable[Event], visitor: str) -> list[Session]:
    """The sessions of a visitor, by start.

    Args:
        events: the events of all ids that the visitor is known by; from a silence on, or the first session may be cut.
        visitor: whom the sessions are entered for.
    """
    ordered = sorted(events, key=place)
    people = [event for event in ordered if not event.is_bot]
    bots = [event for event in ordered if event.is_bot]
    found = [_session(part, visitor) for group in (people, bots) for part in _split(group)]
    return sorted(found, key=lambda session: session.session_id)


def _split(ordered: list[Event]) -> Iterator[list[Event]]:
    current: list[Event] = []
    campaign: tuple[str | None, ...] | None = None
    began = before = 0
    for event in ordered:
        own, time = campaign_of(event), event.time
        if current and (time - before >= SILENCE or time - began >= LONGEST or (own is not None and own != campaign)):
            yield current
            current, campaign = [], None
        if not current:
            began = time
        before = time
        campaign = own or campaign
        current.append(event)
    if current:
        yield current


def campaign_of(event: Event) -> tuple[str | None, ...] | None:
    """What makes one campaign another: source, medium and name, else the type of the click id; None without any."""
    if event.campaign_source or event.campaign_medium or event.campaign_name:
        return event.campaign_source, event.campaign_medium, event.campaign_name
    return (event.click_id_type,) if event.click_id_type else None


def _session(events: list[Event], visitor: str) -> Session:
    first, last = events[0], events[-1]
    pages = [event for event in events if event.is_page_call]
    landing = pages[0] if pages else first
    orders, revenue = _orders(events)
    name = session_id(first)
    return Session(
        user_id=visitor,
        month=name[:7],
        session_id=name,
        started_at=_EPOCH + timedelta(milliseconds=first.time),
        ended_at=_EPOCH + timedelta(milliseconds=last.time),
        duration_seconds=(last.time - first.time) / 1000,
        events=len(events),
        pages=len(pages),
        landing_site=landing.site,
        landing_page=landing.page_path,
        exit_page=pages[-1].page_path if pages else last.page_path,
        channel=_channel(first, landing),
        campaign_source=first.campaign_source,
        campaign_medium=first.campaign_medium,
        campaign_name=first.campaign_name,
        referrer_source=landing.referrer_source,
        device_type=next((event.device_type for event in events if event.device_type), None),
        country=next((event.country for event in events if event.country), None),
        orders=orders,
        revenue=revenue,
        bounce=len([event for event in events if event.event_type in _ACTIONS]) == 1,
        is_bot=first.is_bot,
    )


def session_id(first: Event) -> str:
    """Names a session by its first event; sorts by time."""
    identity = "\x1f".join((first.user_id, first.event_id, "bot" if first.is_bot else ""))
    return f"{iso(first.time)}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def _orders(events: list[Event]) -> tuple[int, float]:
    """Number and revenue of the completed orders; one that is said twice counts as it was said first."""
    by_id: dict[str, float] = {}
    for event in events:
        if event.event_name == ORDER and event.event_type == "track":
            by_id.setdefault(
                event.order_id or f"\x1f{event.user_id}\x1f{event.event_id}\x1f{event.time}", event.revenue or 0.0
            )
    return len(by_id), round(math.fsum(by_id.values()), 2)


def _channel(first: Event, landing: Event) -> str:
    """How the visitor came: what the campaign says, else the click id, else the referrer."""
    if any((first.campaign_source, first.campaign_medium, first.campaign_name)):
        medium = (first.campaign_medium or "").lower()
        for channel, media in (("paid", _PAID), ("email", _EMAIL), ("social", _SOCIAL)):
            if medium in media:
                return channel
        return "campaign"
    if first.click_id_type:
        return "social" if first.click_id_type == "fbclid" else "paid"
    return _BY_REFERRER.get(landing.referrer_medium or "direct", landing.referrer_medium or "direct")
