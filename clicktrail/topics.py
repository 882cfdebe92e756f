"""Makes the three topics, and tells where existing ones are not as the pipeline needs them."""

from __future__ import annotations

import logging
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from clicktrail.brokers import confluent_config
from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings

log = logging.getLogger(__name__)

TIMESTAMPS = "message.timestamp.type"
LARGEST = "max.message.bytes"
_TIMEOUT = 30.0
_quiet = logging.getLogger(f"{__name__}.client")
_quiet.propagate = False
_quiet.addHandler(logging.NullHandler())


def wanted_configs(settings: Settings) -> dict[str, dict[str, str]]:
    """Topic name to its configuration: the broker's clock on all, room for a rejected record of the largest size."""
    largest = settings.max_record_bytes
    return {
        settings.source_topic: {TIMESTAMPS: "LogAppendTime", LARGEST: str(largest)},
        settings.transformed_topic: {TIMESTAMPS: "LogAppendTime", LARGEST: str(2 * largest)},
        settings.dead_letter_topic: {TIMESTAMPS: "LogAppendTime", LARGEST: str(2 * largest)},
    }


def admin(settings: Settings) -> AdminClient:
    """A client for the broker's administration that keeps its complaints to itself."""
    return AdminClient({**confluent_config(settings), "log_level": 0}, logger=_quiet)


def list_topics(settings: Settings, timeout: float = _TIMEOUT) -> dict[str, int]:
    """Topic name to its number of partitions.

    Raises:
        ClicktrailError: no broker answers in time.
    """
    try:
        metadata = admin(settings).list_topics(timeout=timeout)
    except KafkaException as error:
        raise _unreachable(settings, error) from error
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def ensure_topics(settings: Settings) -> list[str]:
    """Make the topics that are missing, and check the others.

    Returns:
        The names of the topics that were made.

    Raises:
        ClicktrailError: no broker answers, a topic cannot be made, or an existing one differs; the cure is named.
    """
    existing = list_topics(settings)
    missing = [
        NewTopic(
            name, num_partitions=settings.topic_partitions, replication_factor=settings.topic_replication, config=config
        )
        for name, config in wanted_configs(settings).items()
        if name not in existing
    ]
    if missing:
        _create(settings, missing)
    if differing := differences(settings):
        raise ClicktrailError("\n".join(differing))
    return [topic.topic for topic in missing]


def differences(settings: Settings) -> list[str]:
    """Where existing topics are not as the pipeline needs them: a sentence each, with the cure."""
    existing = list_topics(settings)
    wanted = {name: config for name, config in wanted_configs(settings).items() if name in existing}
    found = topic_configs(settings, list(wanted))
    said = []
    for name, config in wanted.items():
        if found[name][TIMESTAMPS] != config[TIMESTAMPS]:
            said.append(
                f"Topic {name} has {TIMESTAMPS}={found[name][TIMESTAMPS]}, but the pipeline needs the broker's clock "
                f"(LogAppendTime). {_cure(settings, name, f'{TIMESTAMPS}=LogAppendTime')}"
            )
        if name != settings.source_topic and int(found[name][LARGEST]) < int(config[LARGEST]):
            said.append(
                f"Topic {name} has {LARGEST}={found[name][LARGEST]}; it needs {config[LARGEST]}, twice the source's. "
                f"{_cure(settings, name, f'{LARGEST}={config[LARGEST]}')}"
            )
    return said


def topic_configs(settings: Settings, names: list[str]) -> dict[str, dict[str, str]]:
    """Topic name to all of its configuration."""
    if not names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    client = admin(settings)  # held until the answers are there: they die with it
    answers = client.describe_configs(resources, request_timeout=_TIMEOUT)
    try:
        return {
            resource.name: {entry.name: entry.value for entry in future.result(_TIMEOUT).values()}
            for resource, future in answers.items()
        }
    except KafkaException as error:
        raise _unreachable(settings, error) from error


def delete_topics(settings: Settings) -> None:
    """Delete the three topics where they exist."""
    names = [name for name in wanted_configs(settings) if name in list_topics(settings)]
    if names:
        client = admin(settings)
        _await(client.delete_topics(names, operation_timeout=_TIMEOUT), KafkaError.UNKNOWN_TOPIC_OR_PART)


def _create(settings: Settings, missing: list[NewTopic]) -> None:
    client = admin(settings)
    try:
        _await(client.create_topics(missing, operation_timeout=_TIMEOUT), KafkaError.TOPIC_ALREADY_EXISTS)
    except KafkaException as error:
        names = ", ".join(topic.topic for topic in missing)
        raise ClicktrailError(
            f"Kafka at {settings.bootstrap_servers} does not make the topics {names}: {_reason(error)}"
        ) from error
    log.info("topics made: %s", ", ".join(topic.topic for topic in missing))


def _await(answers: dict[str, Any], harmless: int) -> None:
    """Wait for all; ``harmless`` is the code of what another process may have done first."""
    for future in answers.values():
        try:
            future.result(_TIMEOUT)
        except KafkaException as error:
            if error.args[0].code() != harmless:
                raise


def _cure(settings: Settings, topic: str, config: str) -> str:
    return (
        f"Change it with: kafka-configs --bootstrap-server {settings.bootstrap_servers} --alter --entity-type topics "
        f"--entity-name {topic} --add-config {config}"
    )


def _unreachable(settings: Settings, error: KafkaException) -> ClicktrailError:
    return ClicktrailError(
        f"No Kafka broker answers at {settings.bootstrap_servers}: {_reason(error)}. "
        "Start the embedded one with: clicktrail up; or set CLICKTRAIL_KAFKA_BOOTSTRAP_SERVERS."
    )


def _reason(error: KafkaException) -> str:
    return str(error.args[0].str() if error.args and isinstance(error.args[0], KafkaError) else error)
