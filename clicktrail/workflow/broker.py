"""Reading Kafka back, outside of any consumer group: marks of a topic, spans of offsets, all since a moment."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from clicktrail.brokers import confluent_config
from clicktrail.settings import Settings
from clicktrail.workflow.window import Span, WorkflowError

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 20.0
STALLED_SECONDS = 90.0
"""Without one message for so long, reading back is given up."""
_BATCH = 5_000


Answer = TypeVar("Answer")


class Record(NamedTuple):
    """One message of a topic."""

    partition: int
    offset: int
    received_at: int
    """The broker's time in milliseconds since 1970."""
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class Broker:
    """One connection to Kafka for reading; use it as a context manager."""

    def __init__(self, settings: Settings, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._settings = settings
        self._timeout = timeout_seconds
        self._consumer = Consumer(
            {
                **confluent_config(settings),
                "group.id": "clicktrail-audit",  # demanded by the client, never joined and never committed to
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "isolation.level": "read_uncommitted",
                "fetch.wait.max.ms": 50,
                "log_level": 2,
            }
        )

    def __enter__(self) -> Broker:
        """The broker itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._consumer.close()

    def marks(self, topic: str) -> dict[int, tuple[int, int]]:
        """Of each partition the first offset that is there and the next one that will be given.

        Raises:
            WorkflowError: Kafka does not answer, or has no such topic.
        """
        return self._asked(
            topic,
            lambda: {
                partition: self._consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=self._timeout, cached=False
                )
                for partition in self._partitions(topic)
            },
        )

    def read(self, topic: str, spans: Iterable[Span]) -> Iterator[Record]:
        """The messages of the spans. Offsets that hold none (control records, compacted ones) are passed over.

        Raises:
            WorkflowError: Kafka does not answer, or does not have an offset any more.
        """
        wanted = {span.partition: span for span in spans if span.size > 0}
        open_partitions = set(wanted)
        self._consumer.assign([TopicPartition(topic, span.partition, span.first) for span in wanted.values()])
        heard = time.monotonic()
        try:
            while open_partitions:
                messages = self._consumer.consume(_BATCH, timeout=1.0)
                if messages:
                    heard = time.monotonic()
                elif time.monotonic() - heard > STALLED_SECONDS:
                    raise WorkflowError(_away(self._settings, f"sent nothing of {topic} for {STALLED_SECONDS:.0f} s"))
                for message in messages:
                    partition, offset = message.partition() or 0, message.offset() or 0
                    at_end = self._at_end(message)
                    if at_end or offset >= wanted[partition].end - 1:
                        open_partitions.discard(partition)
                    if not at_end and offset < wanted[partition].end:
                        yield _record(message)
        finally:
            self._consumer.unassign()

    def read_since(self, topic: str, moment_ms: int) -> Iterator[Record]:
        """All messages of a topic that the broker took at or after ``moment_ms``, to the topic's end now."""
        ends = {partition: end for partition, (_, end) in self.marks(topic).items()}
        asked = [TopicPartition(topic, partition, moment_ms) for partition in ends]
        found = self._asked(topic, lambda: self._consumer.offsets_for_times(asked, timeout=self._timeout))
        spans = [
            Span(at.partition, at.offset if at.offset >= 0 else ends[at.partition], ends[at.partition]) for at in found
        ]
        yield from self.read(topic, spans)

    def _partitions(self, topic: str) -> list[int]:
        described = self._consumer.list_topics(topic, timeout=self._timeout).topics[topic]
        if described.error is not None:
            raise KafkaException(described.error)
        return sorted(described.partitions)

    def _asked(self, topic: str, question: Callable[[], Answer]) -> Answer:
        try:
            return question()
        except KafkaException as error:
            cause = error.args[0]
            if cause.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise WorkflowError(f"Kafka has no topic {topic}; `clicktrail up` makes it") from error
            raise WorkflowError(_away(self._settings, f"gives no answer about {topic}: {cause.str()}")) from error

    def _at_end(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return False
        if error.code() == KafkaError._PARTITION_EOF:
            return True
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise WorkflowError(
                f"offsets of {message.topic()} partition {message.partition()} fell out of the broker's retention "
                f"while they were read back: {error.str()}"
            )
        raise WorkflowError(_away(self._settings, f"stopped while {message.topic()} was read back: {error.str()}"))


def _record(message: Message) -> Record:
    headers = cast(list[tuple[str, bytes]], message.headers() or [])
    return Record(
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        dict(headers),
    )


def _away(settings: Settings, what: str) -> str:
    return f"the Kafka broker at {settings.bootstrap_servers} {what}. Is it up? `clicktrail status` tells"
