"""What a run wrote, read back whole: numbers of rows and checksums that do not depend on the order.

What has to be there is worked out from the source topic by ``clicktrail.job.decode`` alone, so a contender is held
against the rules and not against another contender. A repeat is the same event: the later by the broker's clock stays.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from itertools import pairwise
from multiprocessing import get_context
from typing import Any

import orjson
from cassandra.cluster import EXEC_PROFILE_DEFAULT
from cassandra.query import tuple_factory
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from clicktrail import store
from clicktrail.brokers import confluent_config
from clicktrail.errors import ClicktrailError
from clicktrail.events import IDENTITY
from clicktrail.job.decode import decode
from clicktrail.settings import Settings

COLUMNS = (
    *("user_id", "day", "event_time", "event_id", "event_type", "event_name", "received_at", "sent_at"),
    *("site", "page_path", "page_query", "referrer_medium", "referrer_source"),
    *("campaign_source", "campaign_medium", "campaign_name", "click_id_type"),
    *("browser", "os", "device_type", "is_bot", "country"),
    *("product_id", "price", "quantity", "order_id", "revenue", "currency"),
)
"""What the checksum of the rows is made of."""
_TIMES = ("event_time", "received_at", "sent_at")
_MASK = 2**64 - 1
_WORKERS = 2
_TIMEOUT = 60.0
_POLL = 0.1


@dataclass(frozen=True)
class Totals:
    """What a run wrote, or should have."""

    rows: int
    """Rows of ``events_by_user_day``."""
    row_sum: str
    """Checksum over COLUMNS of all rows."""
    events: int
    """Distinct ``event_id`` in the transformed topic."""
    event_sum: str
    dead_letters: int
    """Records of the dead-letter topic."""
    dead_letter_sum: str
    """Checksum over their bytes."""

    def differences(self, wanted: Totals) -> str:
        """Where these are not what is wanted, in words; empty where they agree."""
        said = (
            f"{field.name} {found}, not {want}"
            for field in fields(self)
            if (found := getattr(self, field.name)) != (want := getattr(wanted, field.name))
        )
        return "; ".join(said)


def digest(values: Sequence[Any]) -> int:
    """64 bits of a row's values."""
    return int.from_bytes(hashlib.blake2b(orjson.dumps(values), digest_size=8).digest())


def digest_bytes(value: bytes | None) -> int:
    """64 bits of a record's bytes; no value counts as an empty one."""
    return int.from_bytes(hashlib.blake2b(value or b"", digest_size=8).digest())


def checksum(digests: Iterable[int]) -> str:
    """The sum of the digests as 16 hexadecimal digits: the same in whatever order they come."""
    return _sum(sum(digests))


def expected(settings: Settings, partitions: int) -> Totals:
    """What has to come out of ``settings.source_topic``."""
    with _pool() as pool:
        parts = _total(pool, _expected_of_partition, [(settings, partition) for partition in range(partitions)])
    rows, row_sum, event_sum, dead, dead_sum = parts()
    return Totals(rows, _sum(row_sum), rows, _sum(event_sum), dead, _sum(dead_sum))


def found(settings: Settings, partitions: int) -> Totals:
    """What a run wrote to the keyspace and the two topics of ``settings``."""
    topic = [(settings, partition) for partition in range(partitions)]
    with _pool() as pool:
        of_rows = _total(pool, _rows_of_range, [(settings, *bounds) for bounds in token_ranges(2 * _WORKERS)])
        of_events = _total(pool, _events_of_partition, topic)
        of_dead = _total(pool, _dead_of_partition, topic)
    (rows, row_sum), (events, event_sum), (dead, dead_sum) = of_rows(), of_events(), of_dead()
    return Totals(rows, _sum(row_sum), events, _sum(event_sum), dead, _sum(dead_sum))


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(_WORKERS, mp_context=get_context("spawn"))


def _total(
    pool: ProcessPoolExecutor, work: Callable[..., tuple[int, ...]], arguments: Sequence[tuple[Any, ...]]
) -> Callable[[], list[int]]:
    """Start the work for all arguments; the function waits for the sums of its answers."""
    answers = [pool.submit(work, *each) for each in arguments]
    return lambda: [sum(column) for column in zip(*(answer.result() for answer in answers), strict=True)]


def _sum(digests: int) -> str:
    return f"{digests & _MASK:016x}"


def token_ranges(count: int) -> list[tuple[int, int]]:
    """All tokens of Cassandra's Murmur3 partitioner in ranges, each from (without) its first to (with) its last."""
    bounds = [-(2**63) + step * 2**64 // count for step in range(count)]
    return list(pairwise([*bounds, 2**63 - 1]))


def records(settings: Settings, topic: str, partition: int) -> Iterator[Any]:
    """All messages of a partition up to the end that it has now."""
    config = confluent_config(settings) | {
        "group.id": "benchmark-reader",
        "enable.auto.commit": False,
        "fetch.message.max.bytes": 4_000_000,
        "queued.max.messages.kbytes": 65_536,
    }
    consumer = Consumer(config)
    try:
        start, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_TIMEOUT)
        if end <= start:
            return
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        heard = time.monotonic()
        while True:
            messages = consumer.consume(5_000, _POLL)  # waits for all 5,000, or so long
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > _TIMEOUT:
                raise ClicktrailError(f"topic {topic}, partition {partition}: no message within {_TIMEOUT:.0f} s")
            for message in messages:
                if message.error():
                    raise KafkaException(message.error())
                yield message
            if messages and (messages[-1].offset() or 0) >= end - 1:
                return
    finally:
        consumer.close()


def _expected_of_partition(settings: Settings, partition: int) -> tuple[int, int, int, int, int]:
    """Rows, their sum, the sum of the event ids, dead letters, their sum."""
    kept: dict[int, tuple[int, int]] = {}
    ids: set[int] = set()
    dead = dead_sum = 0
    for message in records(settings, settings.source_topic, partition):
        received, offset = message.timestamp()[1], message.offset()
        event = decode(
            message.value(),
            message.key(),
            received,
            settings.source_topic,
            partition,
            offset,
            settings.max_record_bytes,
        )
        if event.fields is None:
            dead, dead_sum = dead + 1, dead_sum + digest_bytes(message.value())
            continue
        identity = digest([event.fields[name] for name in IDENTITY])
        version = received * 1000 + offset % 1000, digest([event.fields.get(name) for name in COLUMNS])
        kept[identity] = max(version, kept.get(identity, version))
        ids.add(digest([event.fields["event_id"]]))
    return len(kept), sum(row for _, row in kept.values()), sum(ids), dead, dead_sum


def _rows_of_range(settings: Settings, after: int, last: int) -> tuple[int, int]:
    shown = ", ".join(f"to_unix_timestamp({name})" if name in _TIMES else name for name in COLUMNS)
    day = COLUMNS.index("day")
    lowest = ">=" if after == -(2**63) else ">"
    with store.connect(settings, timeout=120) as session:
        profile = session.execution_profile_clone_update(EXEC_PROFILE_DEFAULT, row_factory=tuple_factory)
        session.default_fetch_size = 5_000
        statement = session.prepare(
            f"SELECT {shown} FROM events_by_user_day WHERE token(user_id, day) {lowest} ? AND token(user_id, day) <= ?"
        )
        count = total = 0
        for row in session.execute(statement, (after, last), execution_profile=profile):
            total += digest([*row[:day], row[day].days_from_epoch, *row[day + 1 :]])
            count += 1
    return count, total


def _events_of_partition(settings: Settings, partition: int) -> tuple[int, int]:
    ids = {
        digest([orjson.loads(message.value())["event_id"]])
        for message in records(settings, settings.transformed_topic, partition)
    }
    return len(ids), sum(ids)


def _dead_of_partition(settings: Settings, partition: int) -> tuple[int, int]:
    digests = [digest_bytes(message.value()) for message in records(settings, settings.dead_letter_topic, partition)]
    return len(digests), sum(digests)
