"""Who is who: anonymous ids that `identify` and `alias` calls say belong to a user.

`identify` with both ids claims its `anonymousId` for its `userId`, `alias` its `previousId`. The earliest claim on an
id holds, so that the order of arrival does not matter. One step and no further: where a user is in turn claimed by
another, only that user's own events move on. Ids of more than 1,024 characters are not mapped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from clicktrail.job.derive.event import Event

LONGEST_ID = 1_024
"""Characters."""


class Claim(NamedTuple):
    """``user_id`` says that ``claimed`` is the same visitor; a day's first such event. Sorts by what goes first."""

    time: int
    event_id: str
    user_id: str
    claimed: str


def claims(events: Iterable[Event]) -> dict[str, Claim]:
    """The first claim on each id among events."""
    found: dict[str, Claim] = {}
    for event in events:
        other = claimed_by(event)
        if other is None:
            continue
        claim = Claim(event.time, event.event_id, event.user_id, other)
        found[other] = min(claim, found.get(other, claim))
    return found


def claimed_by(event: Event) -> str | None:
    """The id that an event claims for its visitor."""
    other = None
    if event.event_type == "identify":
        other = event.anonymous_id
    elif event.event_type == "alias":
        other = event.previous_id
    usable = other and other != event.user_id and len(other) <= LONGEST_ID
    return other if usable else None


def owner(on_one_id: Iterable[Claim]) -> Claim | None:
    """Whose an id is: the earliest claim."""
    return min(on_one_id, default=None)
