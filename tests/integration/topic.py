"""A topic's records in and out, as plain as can be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition

from clicktrail.brokers import confluent_config
from clicktrail.settings import Settings
from tests.integration.support import wait_for

LARGEST = 64 * 1_048_576
_BUFFER = 2 * LARGEST // 1_024  # librdkafka wants kilobytes


class Record(NamedTuple):
    """A record as it lies in a topic; ``received_at`` is the broker's time in milliseconds."""

    partition: int
    offset: int
    received_at: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]

    @property
    def source(self) -> tuple[int, int]:
        """Partition and offset that its headers name as its origin."""
        return int(self.headers["source_partition"]), int(self.headers["source_offset"])


class Message(NamedTuple):
    """What a test sends; without a partition the key decides."""

    key: bytes | None
    value: bytes | None
    partition: int | None = None


def send(settings: Settings, messages: Iterable[Message], compression: str = "none") -> None:
    """Send to the source topic, in order, all confirmed."""
    config = confluent_config(settings) | {
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": compression,
        "message.max.bytes": LARGEST,
        "queue.buffering.max.kbytes": _BUFFER,
        "linger.ms": 5,
    }
    failed: list[str] = []
    producer = Producer(config)
    for message in messages:
        place: dict[str, Any] = {} if message.partition is None else {"partition": message.partition}
        producer.produce(
            settings.source_topic,
            key=message.key,
            value=message.value,
            on_delivery=lambda error, _: failed.append(str(error)) if error else None,
            **place,
        )
        producer.poll(0)
    assert producer.flush(120) == 0
    assert not failed, failed[:3]


def read(settings: Settings, topic: str) -> list[Record]:
    """All that lies in a topic now."""
    config = confluent_config(settings) | {"group.id": "test", "enable.auto.commit": False, "fetch.max.bytes": LARGEST}
    consumer = Consumer(config | {"receive.message.max.bytes": 2 * LARGEST})
    try:
        return [
            record
            for partition in range(settings.topic_partitions)
            for record in _read_partition(consumer, topic, partition)
        ]
    finally:
        consumer.close()


def _read_partition(consumer: Consumer, topic: str, partition: int) -> list[Record]:
    first, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=60)
    found: list[Record] = []
    consumer.assign([TopicPartition(topic, partition, first)])

    def complete() -> bool:
        messages: list[Any] = consumer.consume(1_000, timeout=1) if len(found) < end - first else []
        for message in messages:
            assert message.error() is None, message.error()
            if message.offset() < end:
                found.append(
                    Record(
                        partition,
                        message.offset(),
                        message.timestamp()[1],
                        message.key(),
                        message.value(),
                        dict(message.headers() or []),
                    )
                )
        return len(found) == end - first

    wait_for(complete, f"reading {end - first} records of {topic}", pause=0)
    return found
