"""The audit: is everything that a window should have become in the sink?

The ledger must cover the window; then the raw messages are read back from Kafka, judged by the job's own rules, and
looked for one by one. A sink that lost a row makes the task red, and the sentence names how many are missing and which.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args

from clicktrail.job import ledger
from clicktrail.settings import Settings
from clicktrail.workflow.broker import Broker, Record
from clicktrail.workflow.expected import Event, Expected, Place, Rejection, read_expected
from clicktrail.workflow.window import Span, Window, WorkflowError

logger = logging.getLogger(__name__)

_CONCURRENCY = 64
_SHOWN = 20
_SHARDS = 16
_HOUR = 3_600_000
_CLOCKS_DIFFER = 60_000  # milliseconds between the clocks of two brokers
_EPOCH = dt.datetime(1970, 1, 1)
_MILLISECOND = dt.timedelta(milliseconds=1)
_A_DAY = dt.timedelta(days=1)
_WITHOUT_RECORDS = dt.timedelta(days=60)


@dataclass
class Report:
    """What an audit found; it goes to XCom and into the summary of ``clicktrail run``."""

    sink: str
    offsets: int
    checked: int
    sampled: bool
    good: int
    rows: int
    """Distinct events among the good ones: what a table keyed by the event's identity holds of them."""
    rejected: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """For XCom."""
        return asdict(self)


def audit_destination(session: Session, settings: Settings, window: Window, seed: str) -> Report:
    """Cassandra: every event's row is in ``events_by_user_day``, every rejected record in ``dead_letters``.

    Raises:
        WorkflowError: something is missing, or cannot be read back.
    """
    started = time.monotonic()
    expected = _expected(session, settings, window, seed)
    missing: list[Event | Rejection] = [*_missing_rows(session, expected.events)]
    missing += _missing_dead_letters(session, window.topic, expected.rejections)
    _require_none(missing, expected, f"Cassandra ({settings.cassandra_keyspace}.events_by_user_day and dead_letters)")
    return _report("destination", expected, started)


def audit_kafka(session: Session, settings: Settings, window: Window, seed: str) -> Report:
    """Kafka: every event has a message in the transformed topic, every rejected record one in the dead-letter topic.

    A repeat that the job removed within a micro-batch counts as there when a message of the same identity is.

    Raises:
        WorkflowError: something is missing, or cannot be read back.
    """
    started = time.monotonic()
    expected = _expected(session, settings, window, seed)
    since = (expected.first_received or 0) - _CLOCKS_DIFFER
    with Broker(settings) as broker:
        missing: list[Event | Rejection] = [*_missing_messages(broker, settings, expected.events, since)]
        missing += _missing_dead_messages(broker, settings, window.topic, expected.rejections, since)
    _require_none(missing, expected, f"Kafka ({settings.transformed_topic} and {settings.dead_letter_topic})")
    return _report("kafka", expected, started)


def _expected(session: Session, settings: Settings, window: Window, seed: str) -> Expected:
    with Broker(settings) as broker:
        expected = read_expected(broker, window, settings, seed)
        _require_covered(session, broker, window)
    return expected


def gaps(session: Session, broker: Broker, window: Window) -> list[Span]:
    """What of the window the job's ledger does not cover; offsets that hold no record are no gap."""
    heads = [Span(span.partition, span.first, span.first + 1) for span in window.spans]
    moments = [record.received_at for record in broker.read(window.topic, heads)]
    today = dt.datetime.now(dt.UTC).date()
    # No batch holds an offset before the broker does; where compaction took the first records, it is a guess.
    began = (_EPOCH + min(moments) * _MILLISECOND).date() if moments else today - _WITHOUT_RECORDS
    done = ledger.read(session, [s.partition for s in window.spans], began - _A_DAY, today + _A_DAY)
    left = [
        Span(span.partition, first, end)
        for span in window.spans
        for first, end in ledger.missing(done, span.partition, span.first, span.end)
    ]
    return [gap for gap in left if any(True for _ in broker.read(window.topic, [gap]))]


def _require_covered(session: Session, broker: Broker, window: Window) -> None:
    left = gaps(session, broker, window)
    if left:
        named = "; ".join(map(str, left[:_SHOWN])) + ("; …" if len(left) > _SHOWN else "")
        open_offsets = sum(gap.size for gap in left)
        raise WorkflowError(
            f"the job's ledger does not cover {open_offsets:,} of the {window.size:,} offsets of this run: {named}"
        )


def _missing_rows(session: Session, events: Sequence[Event]) -> list[Event]:
    """One look-up a visitor and day, bounded by the times that are looked for."""
    groups: dict[tuple[str, int], list[Event]] = {}
    for event in events:
        groups.setdefault((event.user_id, event.day), []).append(event)
    statement = session.prepare(
        "SELECT event_time, event_id FROM events_by_user_day "
        "WHERE user_id = ? AND day = ? AND event_time >= ? AND event_time <= ?"
    )
    asked = [
        (user_id, _day(day), min(e.event_time for e in group), max(e.event_time for e in group))
        for (user_id, day), group in groups.items()
    ]
    missing = []
    results = execute_concurrent_with_args(
        session, statement, asked, concurrency=_CONCURRENCY, raise_on_first_error=True
    )
    for group, (_, rows) in zip(groups.values(), results, strict=True):
        found = {((row.event_time - _EPOCH) // _MILLISECOND, row.event_id) for row in rows}
        missing += [event for event in group if (event.event_time, event.event_id) not in found]
    return missing


def _missing_dead_letters(session: Session, topic: str, rejections: Sequence[Rejection]) -> list[Rejection]:
    groups: dict[tuple[int, int, int], list[Rejection]] = {}
    for rejection in rejections:
        partition, offset = rejection.place
        hour = rejection.received_at - rejection.received_at % _HOUR
        groups.setdefault((hour, offset % _SHARDS, partition), []).append(rejection)
    statement = session.prepare(
        "SELECT offset FROM dead_letters "
        "WHERE hour = ? AND shard = ? AND topic = ? AND partition = ? AND offset >= ? AND offset <= ?"
    )
    asked = [
        (hour, shard, topic, partition, min(r.place[1] for r in group), max(r.place[1] for r in group))
        for (hour, shard, partition), group in groups.items()
    ]
    missing = []
    results = execute_concurrent_with_args(
        session, statement, asked, concurrency=_CONCURRENCY, raise_on_first_error=True
    )
    for group, (_, rows) in zip(groups.values(), results, strict=True):
        found = {row.offset for row in rows}
        missing += [rejection for rejection in group if rejection.place[1] not in found]
    return missing


def _missing_messages(broker: Broker, settings: Settings, events: Sequence[Event], since: int) -> list[Event]:
    wanted = {event.place: event for event in events}
    identities: set[tuple[str, str, str]] = set()
    for record in broker.read_since(settings.transformed_topic, since):
        wanted.pop(_place(record, settings.source_topic), None)
        found = orjson.loads(record.value or b"{}")
        identities.add((found["user_id"], found["event_time"], found["event_id"]))
    return [event for event in wanted.values() if event.identity not in identities]


def _missing_dead_messages(
    broker: Broker, settings: Settings, topic: str, rejections: Sequence[Rejection], since: int
) -> list[Rejection]:
    wanted = {rejection.place: rejection for rejection in rejections}
    if wanted:
        for record in broker.read_since(settings.dead_letter_topic, since):
            wanted.pop(_place(record, topic), None)
    return list(wanted.values())


def _place(record: Record, topic: str) -> Place:
    """Where a message of the job came from, by its headers; nowhere, where they name another topic or none."""
    headers = record.headers
    if headers.get("source_topic") != topic.encode():
        return (-1, -1)
    return int(headers["source_partition"]), int(headers["source_offset"])


def _require_none(missing: Sequence[Event | Rejection], expected: Expected, where: str) -> None:
    if not missing:
        return
    named = "; ".join(str(one) for one in sorted(missing, key=lambda one: one.place)[:_SHOWN])
    more = f"; and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
    of = f"{expected.checked:,} " + ("sampled " if expected.sampled else "") + "records"
    raise WorkflowError(f"{len(missing):,} of {of} of this run are missing in {where}: {named}{more}")


def _report(sink: str, expected: Expected, started: float) -> Report:
    report = Report(
        sink,
        offsets=expected.window.size,
        checked=expected.checked,
        sampled=expected.sampled,
        good=len(expected.events),
        rows=len({(event.user_id, event.event_time, event.event_id) for event in expected.events}),
        rejected=expected.reasons(),
        seconds=round(time.monotonic() - started, 1),
    )
    logger.info(
        "%s holds all of it: %s of %s offsets were looked for, %s events (%s distinct), %s dead letters, in %.1f s",
        sink,
        f"{report.checked:,}",
        f"{report.offsets:,}",
        f"{report.good:,}",
        f"{report.rows:,}",
        f"{len(expected.rejections):,}",
        report.seconds,
    )
    return report


def _day(days: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=days)
