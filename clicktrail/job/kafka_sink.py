"""Kafka as a sink: the records of a share, sent from the Python worker that has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from clicktrail.brokers import confluent_config
from clicktrail.errors import REDONE, ClicktrailError
from clicktrail.settings import Settings

COLUMNS = (
    *("record_key", "record_value", "reason", "detail", "event_id", "received_at"),
    *("source_topic", "source_partition", "source_offset"),
)
"""Those of decoded records (``records.SCHEMA``) that are sent."""

_AT_ONCE = 1_000  # records that are Python's at a time
_BATCH = 1_000_000  # bytes
_FRAMING = 65_536  # bytes of a message beside its key and value, at most
_PATIENCE = 120  # seconds until a record that nobody acknowledges has failed
_LOOK = 1  # seconds between two looks at what is not yet acknowledged
_FULL = 0.02  # seconds to wait for room

Headers = list[tuple[str, str | bytes | None]]


class Record(NamedTuple):
    """A message for one of the two topics."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


def outgoing(records: pa.Table, transformed_topic: str, dead_letter_topic: str) -> Iterator[Record]:
    """Decoded records (:data:`COLUMNS`) as Kafka gets them, in their order.

    Of a dead letter these are the original key and bytes; reason, detail and origin are headers.
    """
    some = records.select(COLUMNS).to_batches(_AT_ONCE)
    rows = (row for batch in some for row in zip(*(column.to_pylist() for column in batch.columns), strict=True))
    for key, value, reason, detail, event_id, received_at, topic, partition, offset in rows:
        origin: Headers = [
            ("source_topic", topic.encode()),
            ("source_partition", b"%d" % partition),
            ("source_offset", b"%d" % offset),
        ]
        if reason is None:
            yield Record(transformed_topic, key, value, [*origin, ("event_id", event_id.encode())])
        else:
            why: Headers = [("reason", reason.encode()), ("detail", detail.encode())]
            yield Record(dead_letter_topic, key, value, [*why, *origin, ("received_at", b"%d" % received_at)])


class KafkaSink:
    """Sends what a share hands on, and sees it acknowledged."""

    def __init__(self, settings: Settings) -> None:
        """Begin to connect, which takes half a second: a share has other things to do before it sends."""
        self._settings = settings
        self._producer: Producer | None = self._connected()

    def send(self, records: pa.Table) -> None:
        """Send decoded records (:data:`COLUMNS`); returns when the brokers have acknowledged them all.

        Raises:
            ClicktrailError: a record was refused, or not acknowledged in time. Others may have arrived.
        """
        failures: list[KafkaError] = []

        def note(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failures.append(error)

        # A client that failed is not used again: it may still hold messages.
        producer, self._producer = self._producer or self._connected(), None
        settings = self._settings
        try:
            for record in outgoing(records, settings.transformed_topic, settings.dead_letter_topic):
                _produce(producer, record, note)
            while producer.flush(_LOOK):
                pass
        except KafkaException as error:
            failures.append(error.args[0])
        if failures:
            raise ClicktrailError(f"Kafka failed or went away: {failures[0].str()}. {REDONE}")
        self._producer = producer

    def _connected(self) -> Producer:
        return Producer(
            confluent_config(self._settings)
            | {
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",  # as Java's clients and kafka-python have it
                "linger.ms": 20,
                "batch.size": min(_BATCH, self._settings.max_record_bytes),  # the topics take twice as much
                "queue.buffering.max.kbytes": 32_768,
                "message.max.bytes": 2 * self._settings.max_record_bytes + _FRAMING,
                "delivery.timeout.ms": _PATIENCE * 1_000,
                "delivery.report.only.error": True,
                "allow.auto.create.topics": False,
                "log.connection.close": False,  # a broker closes what was idle for long
            }
        )


def _produce(producer: Producer, record: Record, note: Callable[[KafkaError | None, Message], None]) -> None:
    topic, key, value, headers = record
    while True:
        try:
            producer.produce(topic, value, key, headers=headers, on_delivery=note)
            return
        except BufferError:
            producer.poll(_FULL)
