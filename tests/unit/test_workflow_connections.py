from __future__ import annotations

import json
from pathlib import Path

from clicktrail.settings import Settings
from clicktrail.workflow import connections

SETTINGS = Settings(
    home=Path("/srv/clicktrail"),
    kafka_bootstrap_servers="broker-1:9093,broker-2:9093",
    kafka_security_protocol="SASL_SSL",
    kafka_sasl_mechanism="PLAIN",
    kafka_username="clicks",
    kafka_password="s3cret",
    cassandra_hosts="c1,c2",
    cassandra_port=9142,
    cassandra_username="writer",
    cassandra_password="hush",
    spark_master="spark://master:7077",
)


def test_connections_are_json_and_keep_the_whole_address_of_spark() -> None:
    environment = connections.environment(SETTINGS)
    assert json.loads(environment["AIRFLOW_CONN_SPARK_DEFAULT"]) == {
        "conn_type": "spark",
        "host": "spark://master:7077",
    }
    kafka = json.loads(environment["AIRFLOW_CONN_KAFKA_DEFAULT"])["extra"]
    assert kafka == {
        "bootstrap.servers": "broker-1:9093,broker-2:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "clicks",
        "sasl.password": "s3cret",
    }
    assert json.loads(environment["AIRFLOW_CONN_CASSANDRA_DEFAULT"]) == {
        "conn_type": "cassandra",
        "host": "c1,c2",
        "port": 9142,
        "login": "writer",
        "password": "hush",
        "schema": "clickstream",
    }


def test_the_embedded_broker_is_named_where_none_is_set() -> None:
    kafka = json.loads(connections.environment(Settings(kafka_port=9333))["AIRFLOW_CONN_KAFKA_DEFAULT"])
    assert kafka["extra"]["bootstrap.servers"] == "127.0.0.1:9333"


def test_the_jobs_environment_names_settings_that_exist() -> None:
    blank = Settings.from_env(dict.fromkeys(connections.JOB_ENVIRONMENT, ""))
    assert blank == Settings()
    assert "CLICKTRAIL_KAFKA_BOOTSTRAP_SERVERS" in connections.JOB_ENVIRONMENT
    assert "CLICKTRAIL_CASSANDRA_HOSTS" in connections.JOB_ENVIRONMENT
