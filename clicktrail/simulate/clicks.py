"""The stream of clicks: many visits at once, in the order of time, bad and repeated messages mixed in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush, heapreplace
from random import Random

from clicktrail.errors import ClicktrailError
from clicktrail.simulate.clock import Rhythm, end_of_run, milliseconds
from clicktrail.simulate.faults import Message, bad_message, rounds
from clicktrail.simulate.sessions import Session, Timed
from clicktrail.simulate.shop import CRAWLER_WALKS, LONGEST_WALK, WALKS, Walk
from clicktrail.simulate.visitors import Visitor, Visitors

DUPLICATE = "duplicate"
_LONGEST_SESSION = 1_800_000  # ms
_REMEMBERED = 1000


@dataclass(frozen=True)
class Order:
    """What to simulate. The clicks are a function of it alone.

    Attributes:
        seed: gives the visitors.
        run: name of the run; another run has other clicks of the same visitors.
        count: messages in all, the bad and the repeated ones among them.
        visitors: how many different visitors there are.
        end: the last moment; by default what the run's id says (see ``end_of_run``).
        window: how long before the end it begins.
        invalid: share of bad messages, 0 to 1.
        duplicates: share of exact repeats of an earlier event, 0 to 1.
        zipf: exponent of the law by which visitors come, from 0 (all alike) to below 1 (few make most visits).
    """

    seed: int
    run: str
    count: int
    visitors: int = 2000
    end: datetime | None = None
    window: timedelta = timedelta(days=1)
    invalid: float = 0.0
    duplicates: float = 0.0
    zipf: float = 0.5

    def __post_init__(self) -> None:
        """Validate; raises ClicktrailError."""
        for holds, sentence in (
            (self.count >= 0, f"count must be 0 or more, not {self.count}"),
            (self.visitors >= 1, f"visitors must be 1 or more, not {self.visitors}"),
            (self.window >= timedelta(minutes=1), "the window must be a minute or more"),
            (0 <= self.invalid <= 1 and 0 <= self.duplicates <= 1, "invalid and duplicates are shares from 0 to 1"),
            (self.invalid + self.duplicates <= 1, "invalid and duplicates together must not be over 1"),
            (0 <= self.zipf < 1, f"zipf must be from 0 to below 1, not {self.zipf}"),
        ):
            if not holds:
                raise ClicktrailError(sentence)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that tell this seed and run from any other."""
        return hashlib.sha256(f"{self.seed} {self.run}".encode()).hexdigest()[:16]


def clicks(order: Order) -> Iterator[Message]:
    """Kafka key and value of each message, byte for byte the same for the same order."""
    for key, value, _ in labelled_clicks(order):
        yield key, value


def labelled_clicks(order: Order) -> Iterator[tuple[bytes | None, bytes | None, str]]:
    """The same messages with a label: "" for a good one, ``duplicate``, or the reason for which it must be rejected."""
    bad = round(order.count * order.invalid)
    repeats = min(round(order.count * order.duplicates), max(order.count - bad - 1, 0))  # a repeat needs an original
    good = good_clicks(order, order.count - bad - repeats)
    if not bad and not repeats:
        for _, key, value in good:
            yield key, value, ""
        return
    rng = Random(f"mix {order.seed} {order.run}")
    recent: list[Timed] = []
    kinds, now = rounds(), milliseconds(order.end or end_of_run(order.run))
    for left in range(order.count, 0, -1):
        point = rng.random() * left
        if point < bad:
            bad -= 1
            kind = next(kinds)
            message_id = f"{order.digest}-bad-{left:x}"
            yield *bad_message(kind, message_id, f"visitor-{rng.randrange(order.visitors)}", now), kind.value
        elif point < bad + repeats and recent:
            repeats -= 1
            _, key, value = rng.choice(recent)
            yield key, value, DUPLICATE
        else:
            event = next(good)
            now = event[0]
            recent.append(event)
            del recent[:-_REMEMBERED]
            yield event[1], event[2], ""


def good_clicks(order: Order, count: int) -> Iterator[Timed]:
    """``count`` good events in the order of time, each as moment, key and value."""
    end = milliseconds(order.end or end_of_run(order.run))
    start = end - order.window // timedelta(milliseconds=1)
    longest = min(_LONGEST_SESSION, (end - start) // 4)
    visitors = Visitors(order.seed, order.visitors)
    rng = Random(f"clicks {order.seed} {order.run}")
    plan = _plan(rng, Rhythm(start, end - longest), visitors, count, order.zipf)
    pace = longest // LONGEST_WALK - 700  # what the shorter waits between two pages may take
    return _merge((_visit(rng, order.digest, number, pace, *planned) for number, planned in enumerate(plan)), count)


Planned = tuple[int, Visitor, Walk]


def _plan(rng: Random, rhythm: Rhythm, visitors: Visitors, count: int, zipf: float) -> list[Planned]:
    """As many visits as ``count`` events need, by their start."""
    plan: list[Planned] = []
    often = 1 / (1 - zipf)
    while count > 0:
        # Some come often, most of them rarely.
        visitor = visitors.get(int(visitors.number * rng.random() ** often))
        walk = rng.choice(CRAWLER_WALKS if visitor.crawler else WALKS)
        plan.append((rhythm.moment(rng.random()), visitor, walk))
        count -= walk.events
    plan.sort(key=lambda planned: planned[0])
    return plan


Visit = tuple[int, int, Iterator[Timed]]


def _visit(rng: Random, digest: str, number: int, pace: int, start: int, visitor: Visitor, walk: Walk) -> Visit:
    ids = (
        f"{digest[:8]}-{digest[8:12]}-4{digest[12:15]}-8{digest[15]}{number >> 32 & 0xFF:02x}-{number & 0xFFFFFFFF:08x}"
    )
    return start, number, Session(ids, start, pace, visitor, rng).events(walk)


def _merge(visits: Iterator[Visit], count: int) -> Iterator[Timed]:
    """The events of all visits in the order of time, at most ``count``."""
    running: list[tuple[int, int, Timed, Iterator[Timed]]] = []
    coming = next(visits, None)
    while count > 0 and (running or coming):
        if coming and (not running or coming[0] <= running[0][0]):
            _, number, events = coming
            first = next(events)
            heappush(running, (first[0], number, first, events))
            coming = next(visits, None)
            continue
        _, number, event, events = running[0]
        following = next(events, None)
        if following is None:
            heappop(running)
        else:
            heapreplace(running, (following[0], number, following, events))
        count -= 1
        yield event
