"""Every table of answers, from all messages at once."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from statistics import median
from typing import Any

from tests.integration.recount.flat import Flat, flat

HALF_HOUR, HOUR, DAY = 1_800_000, 3_600_000, 86_400_000
SHOP = ("Product Viewed", "Product Added", "Checkout Started", "Order Completed")
STEPS = ("product", "cart", "checkout", "order")
PAID = {"cpc", "ppc", "cpm", "cpv", "cpa", "paid", "display", "banner", "paid_social"}
Row = dict[str, Any]


class Answers:
    """What the tables must hold. ``devices`` gives the kind of device of a user agent."""

    def __init__(self, messages: Iterable[bytes], devices: dict[str | None, str | None]) -> None:
        once = {(event.visitor, event.ms, event.id): event for event in map(flat, messages)}
        self.events = sorted(once.values(), key=lambda event: (event.ms, event.id, event.visitor))
        self.devices = devices
        self.identities = self._identities()
        self.sessions = [self._session(visitor, part) for visitor, part in self._visits()]
        self.page_metrics = self._page_metrics()
        self.top_pages = self._top_pages()
        self.funnels = self._funnels()
        self.traffic = self._traffic()

    def _identities(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for event in self.events:
            if event.claims:
                found.setdefault(event.claims, event.visitor)
        return found

    def _who(self, event: Flat) -> str:
        return self.identities.get(event.visitor, event.visitor)

    def _visits(self) -> list[tuple[str, list[Flat]]]:
        streams: dict[tuple[str, bool], list[list[Flat]]] = defaultdict(list)
        running: dict[tuple[str, bool], Any] = {}
        for event in self.events:
            key = (self._who(event), event.bot)
            campaign = event.campaign if any(event.campaign) else event.click_id
            parts = streams[key]
            fresh = (
                not parts
                or event.ms - parts[-1][-1].ms >= HALF_HOUR
                or event.ms - parts[-1][0].ms >= DAY
                or (campaign and campaign != running[key])
            )
            if fresh:
                parts.append([])
                running[key] = None
            parts[-1].append(event)
            running[key] = campaign or running[key]
        return [(visitor, part) for (visitor, _), parts in streams.items() for part in parts]

    def _session(self, visitor: str, part: list[Flat]) -> Row:
        first, last = part[0], part[-1]
        pages = [event for event in part if event.kind == "page" and event.path]
        landing = pages[0] if pages else first
        orders: dict[Any, float] = {}
        for event in part:
            if event.kind == "track" and event.name == "Order Completed":
                orders.setdefault(event.order or event, event.revenue)
        name = hashlib.sha256(f"{first.visitor}\x1f{first.id}\x1f{'bot' if first.bot else ''}".encode()).hexdigest()[
            :12
        ]
        devices = [self.devices[event.agent] for event in part if event.agent]
        return {
            "user_id": visitor,
            "month": first.when.strftime("%Y-%m"),
            "session_id": f"{first.when.strftime('%Y-%m-%dT%H:%M:%S')}.{first.ms % 1000:03d}Z-{name}",
            "started_at": first.when.replace(tzinfo=None),
            "ended_at": last.when.replace(tzinfo=None),
            "duration_seconds": (last.ms - first.ms) / 1000,
            "events": len(part),
            "pages": len(pages),
            "landing_site": landing.site,
            "landing_page": landing.path,
            "exit_page": (pages or part)[-1].path,
            "channel": channel(first, landing),
            "campaign_source": first.campaign[0],
            "campaign_medium": first.campaign[1],
            "campaign_name": first.campaign[2],
            "device_type": devices[0] if devices else None,
            "country": next((event.country for event in part if event.country), None),
            "orders": len(orders),
            "revenue": round(sum(orders.values()), 2),
            "bounce": len([event for event in part if event.kind in ("page", "track", "screen")]) == 1,
            "is_bot": first.bot,
        }

    def _views(self) -> list[Flat]:
        return [event for event in self.events if event.kind == "page" and event.path]

    def _page_metrics(self) -> dict[tuple[Any, ...], tuple[int, int, int]]:
        minutes: dict[tuple[Any, ...], list[Flat]] = defaultdict(list)
        for view in self._views():
            minutes[
                view.site, view.path, view.when.date(), view.when.replace(second=0, microsecond=0, tzinfo=None)
            ].append(view)
        return {
            key: (len(views), sum(view.bot for view in views), len({view.visitor for view in views}))
            for key, views in minutes.items()
        }

    def _top_pages(self) -> dict[tuple[str | None, str], list[tuple[str | None, int]]]:
        buckets: dict[tuple[str | None, str], Counter[str | None]] = defaultdict(Counter)
        for view in self._views():
            when = view.when
            five = when.replace(minute=when.minute - when.minute % 5)
            names = (
                five.strftime("5min %Y-%m-%dT%H:%M"),
                when.strftime("hour %Y-%m-%dT%H"),
                when.strftime("day %Y-%m-%d"),
            )
            for name in names if not view.bot else ():
                buckets[view.site, name][view.path] += 1
        return {
            key: sorted(views.items(), key=lambda item: (-item[1], item[0]))[:100] for key, views in buckets.items()
        }

    def _funnels(self) -> dict[tuple[date, int], Row]:
        """The best try a visitor and day, walked event by event."""
        best: dict[tuple[str, date], list[int]] = {}
        streams: dict[str, list[Flat]] = defaultdict(list)
        for event in self.events:
            if event.kind == "track" and event.name in SHOP and not event.bot:
                streams[self._who(event)].append(event)
        for visitor, events in streams.items():
            for n, entry in enumerate(events):
                if entry.name == SHOP[0]:
                    key = (visitor, entry.when.date())
                    best[key] = max(best.get(key, []), walk(entry, events[n + 1 :]), key=len)
        by_day: dict[date, list[list[int]]] = defaultdict(list)
        for (_, day), waits in best.items():
            by_day[day].append(waits)
        return {(day, n + 1): self._step(n, tries) for day, tries in by_day.items() for n in range(len(SHOP))}

    @staticmethod
    def _step(n: int, tries: list[list[int]]) -> Row:
        waits = [waits[n] for waits in tries if len(waits) > n]
        return {
            "name": STEPS[n],
            "visitors": len(waits),
            "conversion": round(len(waits) / len(tries), 6),
            "median_seconds": round(median(waits) / 1000, 3) if n and waits else None,
        }

    def _traffic(self) -> dict[date, Row]:
        days: dict[date, list[Flat]] = defaultdict(list)
        for event in self.events:
            days[event.when.date()].append(event)
        return {day: self._day(day, events) for day, events in days.items()}

    def _day(self, day: date, events: list[Flat]) -> Row:
        people = [event for event in events if not event.bot]
        views = [event for event in people if event.kind == "page" and event.path]
        bots = [event for event in events if event.bot]
        made = [one for one in self.sessions if one["started_at"].date() == day and not one["is_bot"]]
        hours = Counter(view.when.hour for view in views)
        return {
            "events": len(people),
            "views": len(views),
            "visitors": len({self._who(event) for event in people}),
            "sessions": len(made),
            "bounces": sum(one["bounce"] for one in made),
            "orders": sum(one["orders"] for one in made),
            "revenue": round(sum(one["revenue"] for one in made), 2),
            "session_seconds": round(sum(one["duration_seconds"] for one in made), 3),
            "bot_events": len(bots),
            "bot_views": len([event for event in bots if event.kind == "page" and event.path]),
            "bot_visitors": len({self._who(event) for event in bots}),
            "views_by_hour": [hours[hour] for hour in range(24)],
            "views_by_site": dict(Counter(view.site for view in views)),
            "sessions_by_channel": dict(Counter(one["channel"] for one in made)),
            "sessions_by_device": dict(Counter(one["device_type"] or "unknown" for one in made)),
            "sessions_by_country": dict(Counter(one["country"] or "unknown" for one in made)),
        }


def channel(first: Flat, landing: Flat) -> str:
    if any(first.campaign):
        medium = first.campaign[1]
        return (
            "paid"
            if medium in PAID
            else "email"
            if medium == "email"
            else "social"
            if medium == "social"
            else "campaign"
        )
    if first.click_id:
        return "social" if first.click_id == "fbclid" else "paid"
    return {"mail": "email", "other": "referral"}.get(landing.medium, landing.medium)


def walk(entry: Flat, following: list[Flat]) -> list[int]:
    """How long each step of the shop's funnel took, from its entry on."""
    waits, at = [0], entry
    for event in following:
        if event.ms - entry.ms > HOUR or len(waits) == len(SHOP):
            break
        if event.name == SHOP[len(waits)]:
            waits.append(event.ms - at.ms)
            at = event
    return waits
