"""What a window should have become: its raw messages, read back and judged by the job's own rules."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from clicktrail.events import IDENTITY
from clicktrail.job import times
from clicktrail.job.decode import decode
from clicktrail.settings import Settings
from clicktrail.workflow.broker import Broker
from clicktrail.workflow.window import Span, Window, WorkflowError

logger = logging.getLogger(__name__)

AUDIT_ALL_UP_TO = 200_000
"""Offsets: a larger window is audited by sample."""
_BLOCK = 1_000

Place = tuple[int, int]
"""Partition and offset of the source topic."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event that has to be in the sinks."""

    place: Place
    user_id: str
    day: int
    """Days since 1970."""
    event_time: int
    """Milliseconds since 1970."""
    event_id: str

    @property
    def identity(self) -> tuple[str, str, str]:
        """Visitor, time and id, as the messages of the transformed topic write them."""
        return self.user_id, times.iso(self.event_time), self.event_id

    def __str__(self) -> str:
        """For people."""
        who = f"event {self.event_id!r} of visitor {self.user_id!r}"
        return f"{_named(self.place)} ({who} at {times.iso(self.event_time)})"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that has to be among the dead letters."""

    place: Place
    received_at: int
    """The broker's time in milliseconds since 1970."""
    reason: str

    def __str__(self) -> str:
        """For people."""
        return f"{_named(self.place)} (dead letter, {self.reason})"


@dataclass
class Expected:
    """What was read back of a window, or of a sample of it."""

    window: Window
    sampled: bool
    events: list[Event] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    first_received: int | None = None
    """The broker's time of the earliest record that was read, in milliseconds since 1970."""

    @property
    def checked(self) -> int:
        """How many records were read back."""
        return len(self.events) + len(self.rejections)

    def reasons(self) -> dict[str, int]:
        """Rejections by reason, the most frequent first."""
        return dict(Counter(rejection.reason for rejection in self.rejections).most_common())


def read_expected(
    broker: Broker, window: Window, settings: Settings, seed: str, limit: int = AUDIT_ALL_UP_TO
) -> Expected:
    """Read the window back (a seeded sample where it holds more than ``limit`` offsets) and judge each record.

    Raises:
        WorkflowError: Kafka is away, or offsets of the window are gone.
    """
    _require_kept(broker, window)
    sampled = window.size > limit
    expected = Expected(window, sampled)
    if sampled:
        logger.warning(
            "the window holds %s offsets: auditing a sample of about %s of them (blocks of %s, seed %s)",
            f"{window.size:,}",
            f"{limit:,}",
            _BLOCK,
            seed,
        )
    for spans in sample(window, limit, seed) if sampled else [list(window.spans)]:
        _judge(broker, window.topic, spans, settings, expected)
    return expected


def sample(window: Window, limit: int, seed: str) -> Iterator[list[Span]]:
    """A seeded choice of blocks of offsets, about ``limit`` in all; one round holds at most one block a partition."""
    blocks = [
        Span(span.partition, first, min(first + _BLOCK, span.end))
        for span in window.spans
        for first in range(span.first, span.end, _BLOCK)
    ]
    chosen = sorted(random.Random(seed).sample(blocks, min(len(blocks), max(1, limit // _BLOCK))))
    by_partition: dict[int, list[Span]] = {}
    for block in chosen:
        by_partition.setdefault(block.partition, []).append(block)
    while by_partition:
        yield [queue.pop(0) for queue in by_partition.values()]
        by_partition = {partition: queue for partition, queue in by_partition.items() if queue}


def _judge(broker: Broker, topic: str, spans: list[Span], settings: Settings, expected: Expected) -> None:
    for record in broker.read(topic, spans):
        place = (record.partition, record.offset)
        received_at = record.received_at
        expected.first_received = min(expected.first_received or received_at, received_at)
        outcome = decode(record.value, record.key, received_at, topic, *place, settings.max_record_bytes)
        if outcome.fields is None:
            expected.rejections.append(Rejection(place, received_at, outcome.reason or ""))
        else:
            identity = (outcome.fields[name] for name in IDENTITY)
            expected.events.append(Event(place, *identity))


def _require_kept(broker: Broker, window: Window) -> None:
    marks = broker.marks(window.topic)
    gone = [span for span in window.spans if span.partition not in marks or marks[span.partition][0] > span.first]
    if gone:
        raise WorkflowError(
            f"of {window.topic} these offsets fell out of the broker's retention before they were audited: "
            + "; ".join(map(str, gone))
        )


def _named(place: Place) -> str:
    return f"partition {place[0]} offset {place[1]}"
