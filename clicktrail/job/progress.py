"""Shows the job's progress as a consumer group, so that lag is visible to people as for any other consumer.

Spark keeps its own offsets in the checkpoint and commits none to Kafka. After the checkpoint of a batch the job hands
the offsets to :class:`ProgressCommitter`, which writes them to the group ``consumer_group``: Control Center and
``kafka-consumer-groups --describe`` then show lag. Nothing ever reads them for a restart, so whatever goes wrong here
is logged and forgotten.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from clicktrail.brokers import confluent_config
from clicktrail.settings import Settings

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0
"""The longest that one commit may hold up its caller."""


def offsets_of(end_offset: str | Mapping[str, Any] | None, topic: str) -> dict[int, int]:
    """The next offset of each partition, out of what a Kafka source reports as its ``endOffset``.

    Args:
        end_offset: ``{"topic": {"0": 12, "1": 7}}``, as JSON text or parsed; None before the first batch.
        topic: the topic to look for.

    Returns:
        ``{partition: next offset}``, empty where the topic is not named.
    """
    if end_offset is None:
        return {}
    parsed: Mapping[str, Any] = json.loads(end_offset) if isinstance(end_offset, str) else end_offset
    return {int(partition): int(offset) for partition, offset in parsed.get(topic, {}).items()}


def group_offsets(group: str, topic: str, next_offsets: Mapping[int, int]) -> ConsumerGroupTopicPartitions:
    """What is written for ``group``: one entry a partition, in the partitions' order."""
    entries = [TopicPartition(topic, partition, offset) for partition, offset in sorted(next_offsets.items())]
    return ConsumerGroupTopicPartitions(group, entries)


class ProgressCommitter:
    """Writes the job's progress to its consumer group; for people only, and never a reason to fail."""

    def __init__(self, settings: Settings, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._settings = settings
        self._timeout = timeout_seconds
        self._admin: AdminClient | None = None

    def commit(self, next_offsets: Mapping[int, int]) -> bool:
        """Commit ``{partition: next offset}`` of the source topic for the group.

        Returns:
            Whether the broker took all of it. False is logged here, and means nothing for the job.
        """
        if not next_offsets:
            return True
        group = self._settings.consumer_group
        try:
            request = group_offsets(group, self._settings.source_topic, next_offsets)
            admin = self._client()
            futures = admin.alter_consumer_group_offsets([request], request_timeout=self._timeout)
            results = [future.result(timeout=self._timeout + 5) for future in futures.values()]
        except (KafkaException, FutureTimeoutError, ValueError, TypeError) as error:
            logger.warning("progress of group %s was not committed (the job is not touched by it): %s", group, error)
            return False
        refused = [str(entry) for result in results for entry in result.topic_partitions if entry.error]
        if refused:
            logger.warning("progress of group %s was refused for: %s", group, "; ".join(refused))
        return not refused

    def _client(self) -> AdminClient:
        if self._admin is None:
            self._admin = AdminClient(
                {**confluent_config(self._settings), "client.id": "clicktrail-progress"}, logger=logger
            )
        return self._admin
