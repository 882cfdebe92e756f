"""The topic and the clients of the cat photo events, by confluent-kafka."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from clicktrail.brokers import confluent_config
from clicktrail.cats.simulate import CatEvent
from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0
DELIVERY_SECONDS = 60.0


def ensure_topic(settings: Settings) -> None:
    """Create ``cat_photo_events`` where it is missing.

    Raises:
        ClicktrailError: the broker does not answer, or refuses.
    """
    admin = AdminClient({**confluent_config(settings), "client.id": "clicktrail-cats"}, logger=logger)
    try:
        if settings.cat_topic in admin.list_topics(timeout=TIMEOUT_SECONDS).topics:
            return
        topic = NewTopic(
            settings.cat_topic,
            num_partitions=settings.topic_partitions,
            replication_factor=settings.topic_replication,
            config={"message.timestamp.type": "LogAppendTime"},
        )
        admin.create_topics([topic], operation_timeout=TIMEOUT_SECONDS)[settings.cat_topic].result(TIMEOUT_SECONDS * 2)
        logger.info("topic %s was created", settings.cat_topic)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise unreachable(settings, error) from error


def topic_ends(settings: Settings) -> dict[int, int]:
    """The next offset of each partition of the topic."""
    admin = AdminClient(confluent_config(settings), logger=logger)
    try:
        partitions = admin.list_topics(timeout=TIMEOUT_SECONDS).topics[settings.cat_topic].partitions
        asked = {TopicPartition(settings.cat_topic, n): OffsetSpec.latest() for n in partitions}  # type: ignore[no-untyped-call]
        answers = admin.list_offsets(asked, request_timeout=TIMEOUT_SECONDS)
        return {at.partition: future.result(TIMEOUT_SECONDS * 2).offset for at, future in answers.items()}
    except KafkaException as error:
        raise unreachable(settings, error) from error


def committed_offsets(settings: Settings) -> dict[int, int]:
    """What the consumer group has committed, of the partitions for which it has."""
    admin = AdminClient(confluent_config(settings), logger=logger)
    group = settings.cat_consumer_group
    try:
        answers = admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group)], request_timeout=TIMEOUT_SECONDS
        )
        found = answers[group].result(TIMEOUT_SECONDS * 2).topic_partitions or []
    except KafkaException as error:
        raise unreachable(settings, error) from error
    return {at.partition: at.offset for at in found if at.topic == settings.cat_topic and at.offset >= 0}


def unreachable(settings: Settings, error: KafkaException) -> ClicktrailError:
    """The sentence for a broker that does not answer."""
    reason = error.args[0].str() if error.args else str(error)
    return ClicktrailError(
        f"Kafka at {settings.bootstrap_servers} cannot be used: {reason}. Is it running (`clicktrail status`)?"
    )


def send(events: Sequence[CatEvent], settings: Settings) -> int:
    """Send ``events`` in their order, keyed by photo, and wait until the broker has all of them.

    Idempotent, with acknowledgement of all replicas: a retry of the client neither repeats nor reorders.

    Returns:
        How many were delivered: all.

    Raises:
        ClicktrailError: an event was not delivered; the first reason is named.
    """
    ensure_topic(settings)
    producer = Producer(
        {
            **confluent_config(settings),
            "client.id": "cat_photo_producer",
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "lz4",
            "delivery.timeout.ms": int(DELIVERY_SECONDS * 1000),
        },
        logger=logger,
    )
    failures: list[str] = []
    delivered = 0

    def on_delivery(error: KafkaError | None, _message: Message) -> None:
        nonlocal delivered
        if error is None:
            delivered += 1
        else:
            failures.append(error.str())

    for event in events:
        value = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        while True:
            try:
                producer.produce(settings.cat_topic, value, event["photo_id"].encode(), on_delivery=on_delivery)
                break
            except BufferError:
                producer.poll(0.5)
        producer.poll(0)
    producer.flush(DELIVERY_SECONDS * 2)
    if delivered != len(events):
        reason = failures[0] if failures else "the broker did not acknowledge in time"
        raise ClicktrailError(
            f"{len(events) - delivered} of {len(events)} cat photo events were not delivered: {reason}"
        )
    return delivered
