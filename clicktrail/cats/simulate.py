"""Simulates how people view and like photos: a function of the photos, the seed and the batch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from clicktrail.cats.photos import Photo

MOST_VIEWS = 200
"""Of one photo in one batch."""


class CatEvent(TypedDict):
    """One message of the topic: somebody viewed or liked a photo."""

    event_id: str
    batch: str
    sequence: int
    """Place within the batch, from 1. A batch that is sent again repeats it: the consumer tells repeats by it."""
    event: str
    """``view`` or ``like``; who likes has viewed before, and likes once."""
    photo_id: str
    url: str
    breeds: list[str]
    viewer: str
    time: str
    """UTC, ISO 8601, milliseconds."""


def simulate(
    photos: Sequence[Photo], seed: int, batch: str, until: datetime, minutes: float = 5.0, mean_views: float = 20.0
) -> list[CatEvent]:
    """Views and likes of ``photos`` within the ``minutes`` before ``until``, in the order of their times.

    Args:
        photos: what is shown; the order does not matter.
        seed: the same seed, batch and photos give the same events.
        batch: names this lot, such as the id of a DAG run.
        until: end of the time in which it happened.
        minutes: length of that time.
        mean_views: about how many views a photo gets; some get many, most few, each at least one.
    """
    drafts: list[dict[str, Any]] = []
    for photo in sorted(photos, key=lambda one: one["id"]):
        dice = random.Random(f"{seed}:{batch}:{photo['id']}")
        drafts += _visits(photo, dice, until, timedelta(minutes=minutes), mean_views)
    drafts.sort(key=lambda draft: (draft["time"], draft["photo_id"], draft["viewer"], draft["event"] == "like"))
    return [
        CatEvent(
            event_id=f"{batch}/{number}",
            batch=batch,
            sequence=number,
            event=draft["event"],
            photo_id=draft["photo_id"],
            url=draft["url"],
            breeds=draft["breeds"],
            viewer=draft["viewer"],
            time=iso(draft["time"]),
        )
        for number, draft in enumerate(drafts, start=1)
    ]


def _visits(
    photo: Photo, dice: random.Random, until: datetime, span: timedelta, mean_views: float
) -> list[dict[str, Any]]:
    views = min(MOST_VIEWS, max(1, round(mean_views * dice.lognormvariate(-0.32, 0.8))))
    charm = dice.betavariate(2, 6)
    visits = []
    for viewer in dice.sample(range(10_000), views):
        seen = until - span * dice.random()
        what = {
            "photo_id": photo["id"],
            "url": photo["url"],
            "breeds": photo["breeds"],
            "viewer": f"viewer-{viewer:04d}",
        }
        visits.append({**what, "event": "view", "time": seen})
        if dice.random() < charm:
            visits.append({**what, "event": "like", "time": min(until, seen + timedelta(seconds=dice.uniform(1, 20)))})
    return visits


def iso(moment: datetime) -> str:
    """``moment`` as UTC with milliseconds: ``2026-01-31T12:00:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
