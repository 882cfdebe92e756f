"""Airflow's connections kafka_default, spark_default and cassandra_default: made from settings, and read back."""

from __future__ import annotations

import json
from typing import Any

from clicktrail.settings import Settings

_KAFKA = {
    "bootstrap.servers": "kafka_bootstrap_servers",
    "security.protocol": "kafka_security_protocol",
    "sasl.mechanism": "kafka_sasl_mechanism",
    "sasl.username": "kafka_username",
    "sasl.password": "kafka_password",
}

JOB_ENVIRONMENT = {
    f"CLICKTRAIL_{setting.upper()}": f"{{{{ conn.kafka_default.extra_dejson.get('{name}') or '' }}}}"
    for name, setting in _KAFKA.items()
} | {
    f"CLICKTRAIL_CASSANDRA_{setting.upper()}": f"{{{{ conn.cassandra_default.{field} or '' }}}}"
    for setting, field in {
        "hosts": "host",
        "port": "port",
        "keyspace": "schema",
        "username": "login",
        "password": "password",
    }.items()
}
"""The environment of a Spark job, as templates that Airflow fills in from the connections when the task runs."""


def environment(settings: Settings) -> dict[str, str]:
    """The three connections as ``AIRFLOW_CONN_*`` variables. JSON: a URI loses the master's ``spark://``."""
    kafka = {name: getattr(settings, setting) for name, setting in _KAFKA.items()}
    kafka["bootstrap.servers"] = settings.bootstrap_servers
    cassandra = {
        "conn_type": "cassandra",
        "host": settings.cassandra_hosts,
        "port": settings.cassandra_port,
        "login": settings.cassandra_username,
        "password": settings.cassandra_password,
        "schema": settings.cassandra_keyspace,
    }
    return {
        "AIRFLOW_CONN_KAFKA_DEFAULT": _json({"conn_type": "kafka", "extra": {k: v for k, v in kafka.items() if v}}),
        "AIRFLOW_CONN_SPARK_DEFAULT": _json({"conn_type": "spark", "host": settings.spark_master}),
        "AIRFLOW_CONN_CASSANDRA_DEFAULT": _json({k: v for k, v in cassandra.items() if v}),
    }


def connected_settings() -> Settings:
    """The settings of the environment, with Kafka and Cassandra where Airflow's connections say they are."""
    from airflow.sdk import BaseHook

    settings = Settings.from_env()
    kafka = BaseHook.get_connection("kafka_default").extra_dejson
    cassandra = BaseHook.get_connection("cassandra_default")
    changes: dict[str, Any] = {setting: kafka[name] for name, setting in _KAFKA.items() if kafka.get(name)}
    found = {
        "cassandra_hosts": cassandra.host,
        "cassandra_port": cassandra.port,
        "cassandra_keyspace": cassandra.schema,
        "cassandra_username": cassandra.login,
        "cassandra_password": cassandra.password,
    }
    return settings.with_changes(**changes, **{name: value for name, value in found.items() if value})


def _json(connection: dict[str, Any]) -> str:
    return json.dumps(connection, separators=(",", ":"))
