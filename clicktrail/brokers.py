"""How the Kafka clients of this project connect: one place for the addresses and the credentials."""

from __future__ import annotations

from typing import Any

from clicktrail.settings import Settings


def confluent_config(settings: Settings) -> dict[str, Any]:
    """The connection part of a ``confluent_kafka`` client's configuration."""
    config: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "security.protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_sasl_mechanism:
        config |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_username,
            "sasl.password": settings.kafka_password,
        }
    return config


def kafka_python_config(settings: Settings) -> dict[str, Any]:
    """The connection part of a ``kafka`` (kafka-python) client's arguments."""
    config: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers.split(","),
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_sasl_mechanism:
        config |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password,
        }
    return config
