"""Decoding alone: ``clicktrail.job.decode`` over the workload's messages, in one process."""

from __future__ import annotations

import time

from confluent_kafka import Consumer

from benchmarks.work import Limit, Work
from clicktrail.job.decode import decode as decode_record

_MOST = 100_000


def decode(work: Work, events: int) -> Limit:
    """At most 100,000 messages, read before the clock starts; caches are as cold as in a process that starts."""
    messages = _messages(work, min(events, _MOST))
    wall, cpu = time.perf_counter(), time.process_time()
    for value, key, received_at, partition, offset in messages:
        decode_record(value, key, received_at, work.source_topic, partition, offset, work.max_record_bytes)
    seconds, spent = time.perf_counter() - wall, time.process_time() - cpu
    return Limit("decode", "clicktrail.job.decode alone, one process", len(messages), seconds, spent)


def _messages(work: Work, wanted: int) -> list[tuple[bytes | None, bytes | None, int, int, int]]:
    consumer = Consumer(
        {"bootstrap.servers": work.bootstrap, "group.id": f"{work.group}-decode", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([work.source_topic])
    found: list[tuple[bytes | None, bytes | None, int, int, int]] = []
    deadline = time.monotonic() + 120
    while len(found) < wanted and time.monotonic() < deadline:
        for each in consumer.consume(min(10_000, wanted - len(found)), 1.0):
            if not each.error():
                found.append((each.value(), each.key(), each.timestamp()[1], each.partition() or 0, each.offset() or 0))
    consumer.close()
    return found
