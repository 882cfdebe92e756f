"""Sends many messages to a topic with kafka-python: fast, bounded in memory, and no error stays unseen.

What makes it fast is in docs/decisions/003-producer-throughput.md.
"""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError
from kafka.partitioner import DefaultPartitioner, murmur2

from clicktrail.brokers import kafka_python_config
from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings
from clicktrail.topics import ensure_topics, list_topics

_ANSWERS_WITHIN = 15  # seconds
_IN_FLIGHT = 20_000
_CONFIRM = 5_000
_MOST_KEYS = 500_000
_DELIVERY_TIMEOUT = 120  # seconds
_FRAMING = 1024  # bytes that the client counts for a record beside its key and value, and some


class RememberingPartitioner(DefaultPartitioner):  # type: ignore[misc]  # kafka-python has no types
    """The default partitioner, which hashes a key once: kafka-python's murmur2 is pure Python, and dear."""

    def __init__(self) -> None:
        self._hashes: dict[bytes, int] = {}

    def partition(
        self,
        topic: str,
        key: Any,
        serialized_key: bytes | None,
        value: Any,
        serialized_value: bytes | None,
        cluster: Any,
    ) -> int:
        """The partition of a message, the same as every Kafka client picks for this key."""
        if serialized_key is None:
            return int(super().partition(topic, key, serialized_key, value, serialized_value, cluster))
        found = self._hashes.get(serialized_key)
        if found is None:
            if len(self._hashes) >= _MOST_KEYS:
                self._hashes.clear()
            found = self._hashes[serialized_key] = int(murmur2(serialized_key)) & 0x7FFFFFFF
        return found % len(cluster.partitions_for_topic(topic))


def _fast(settings: Settings) -> dict[str, Any]:
    return {
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": "lz4",
        "batch_size": 262_144,
        "linger_ms": 20,
        "partitioner": RememberingPartitioner(),
        "max_request_size": settings.max_record_bytes + _FRAMING,
        "delivery_timeout_ms": _DELIVERY_TIMEOUT * 1000,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
    }


class Sender:
    """Sends to the source topic; as a context manager it confirms all that was sent before it leaves.

    Every message is confirmed by the broker (acks=all, idempotent). At most 20,000 wait for that at any time.

    Raises:
        ClicktrailError: no broker, a topic that does not fit, or a message that the broker did not take.
    """

    def __init__(self, settings: Settings, rate: float = 0, **client: Any) -> None:
        """Connect.

        Args:
            settings: where Kafka is, and the topic's name.
            rate: messages a second; 0 is as fast as it goes.
            client: arguments of KafkaProducer that replace those here: for measuring them.
        """
        list_topics(settings, _ANSWERS_WITHIN)
        ensure_topics(settings)
        self._settings, self._topic, self._rate = settings, settings.source_topic, rate
        self._waiting: deque[Any] = deque()
        self._sent = 0
        self.confirmed = 0
        try:
            self._producer = KafkaProducer(**kafka_python_config(settings), **(_fast(settings) | client))
        except KafkaError as error:
            raise self._refused(error) from error
        self._send = self._producer.send
        self._began = time.monotonic()

    def send(self, key: bytes | None, value: bytes | None) -> None:
        """Hand over one message; its confirmation is checked later, and no later than at the end.

        Raises:
            MessageSizeTooLargeError: of kafka-python, for this message; the next can be sent.
            ClicktrailError: an earlier message was not taken.
        """
        if self._rate:
            self._keep_pace()
        try:
            self._waiting.append(self._send(self._topic, value, key))
        except MessageSizeTooLargeError:
            raise
        except KafkaError as error:
            raise self._refused(error) from error
        self._sent += 1
        if len(self._waiting) >= _IN_FLIGHT:
            self._confirm(_CONFIRM)

    def flush(self) -> None:
        """Wait until all that was sent is confirmed."""
        try:
            self._producer.flush(_DELIVERY_TIMEOUT)
        except KafkaError as error:
            raise self._refused(error) from error
        self._confirm(len(self._waiting))
        if self.confirmed != self._sent:
            raise ClicktrailError(f"Of {self._sent} messages Kafka confirmed {self.confirmed}.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self._producer.close(timeout=0 if kind else 30)

    def _keep_pace(self) -> None:
        ahead = self._sent / self._rate - (time.monotonic() - self._began)
        if ahead > 0.002:
            time.sleep(ahead)

    def _confirm(self, number: int) -> None:
        """Check the oldest ``number`` messages; waits for them."""
        take = self._waiting.popleft
        try:
            for _ in range(number):
                future = take()
                if not future.succeeded():
                    future.get(_DELIVERY_TIMEOUT + 30)
                self.confirmed += 1
        except KafkaError as error:
            raise self._refused(error) from error

    def _refused(self, error: KafkaError) -> ClicktrailError:
        return ClicktrailError(
            f"Kafka at {self._settings.bootstrap_servers} did not take a message of topic {self._topic}: {error!r} "
            f"({self.confirmed} were confirmed before). Look at the broker with: clicktrail status"
        )
