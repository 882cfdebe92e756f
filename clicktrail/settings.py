"""Every setting, read once from the environment into one frozen, validated object.

The names of the variables are the field names in capitals behind ``CLICKTRAIL_``: ``kafka_bootstrap_servers`` is
``CLICKTRAIL_KAFKA_BOOTSTRAP_SERVERS``. ``.env.example`` lists each with its meaning, and a test holds it against this
file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

PREFIX = "CLICKTRAIL_"
PROJECT = Path(__file__).resolve().parent.parent
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,200}")
_BATCHES_OF = 1_000_000  # offsets: beyond this one micro-batch no longer fits a small driver


class SettingsError(ValueError):
    """A setting that cannot be used; the sentence names the variable and what it may be."""


def _secret() -> Any:
    return field(default="", metadata={"secret": True})


@dataclass(frozen=True)
class Settings:
    """What the pipeline has to know about its surroundings. Build it with :meth:`from_env`."""

    home: Path = PROJECT / ".clicktrail"
    """Folder that holds the state of the embedded servers: data, logs, process ids, secrets."""
    host: str = "127.0.0.1"
    """Address that the embedded servers bind to."""
    zookeeper_port: int = 2181
    kafka_port: int = 9092
    cassandra_port: int = 9042
    airflow_port: int = 8080
    mail_port: int = 2525
    """The embedded mail server, which writes mails to a folder."""
    sales_api_port: int = 8091
    """The embedded sample shop's HTTP API."""
    airflow_url: str = ""
    """Address of an Airflow elsewhere, for ``clicktrail run``; empty means the embedded one."""
    airflow_username: str = ""
    airflow_password: str = _secret()
    airflow_password_file: str = ""
    """File that holds the password, in place of ``airflow_password``."""
    airflow_schedules: int = 1
    """0: the embedded Airflow runs a DAG only when it is told to."""
    simulate: int = 1
    """0: runs of the workflow send no simulated clicks unless they are told to; for where real traffic comes in."""

    kafka_bootstrap_servers: str = ""
    """``host:port,host:port``; empty means the embedded broker."""
    kafka_security_protocol: str = "PLAINTEXT"
    kafka_sasl_mechanism: str = ""
    kafka_username: str = ""
    kafka_password: str = _secret()
    source_topic: str = "user_clickstream"
    transformed_topic: str = "transformed_clickstream"
    dead_letter_topic: str = "clickstream_dead_letter"
    topic_partitions: int = 4
    topic_replication: int = 1
    max_record_bytes: int = 1_048_576
    """Largest record of the source topic; the dead-letter topic takes twice that."""

    cassandra_hosts: str = "127.0.0.1"
    """``host,host``; the port is ``cassandra_port``."""
    cassandra_username: str = ""
    cassandra_password: str = _secret()
    cassandra_datacenter: str = ""
    """Local data centre; empty takes that of the first host."""
    cassandra_keyspace: str = "clickstream"
    cassandra_replication: int = 1
    cassandra_consistency: str = "LOCAL_QUORUM"

    spark_master: str = "local[2]"
    spark_driver_memory: str = "2g"
    checkpoint_dir: str = ""
    """Where the job keeps its checkpoint: required by the job, never under a folder that a reboot empties."""
    max_offsets_per_batch: int = 50_000
    consumer_group: str = "clickstream_job"
    """Group under which the job shows its progress to people; never read for a restart."""
    lease_seconds: int = 30

    cat_topic: str = "cat_photo_events"
    cat_consumer_group: str = "cat_photo_consumer"
    cat_cron: str = "*/5 * * * *"
    """When ``cat_photo_dag`` runs, once it is unpaused."""

    health_max_lag: int = 1_000_000
    """Offsets that may wait for the job, or for a consumer group, before ``pipeline_health`` alerts."""
    health_max_stale_seconds: int = 90_000
    """Age of the oldest event that is not in Cassandra yet. The default fits a daily run; always-on: 300."""
    health_max_dead_letter_percent: int = 5
    """Of the events that the job read within a day; judged from 100 events on."""
    health_max_late_minutes: int = 60
    """How long after its time a scheduled run may start, and how long a run may wait in the queue."""
    health_email_to: str = ""
    """``name@host,name@host``: who gets alerts by the Airflow connection ``smtp_default``; empty means nobody."""
    health_webhook_url: str = _secret()
    """Address that alerts are posted to as JSON, with a ``text`` that chat services show; empty means none."""

    sales_dir: str = ""
    """Folder of the daily sales: dropped CSV files, what tasks hand on, DuckDB; empty takes ``sales`` in ``home``."""
    sales_sources: str = "database,api,files"
    """Which sources are read; ``clickstream`` adds the orders in Cassandra."""
    sales_warehouse: str = "duckdb"
    """``duckdb``, or ``bigquery:project.dataset``."""
    sales_rates_file: str = ""
    """CSV of exchange rates; empty takes the fixed table ``clicktrail/sales/rates.csv``."""
    sales_mail_to: str = "sales@example.com"
    """Who gets the daily report: ``address,address``."""

    def __post_init__(self) -> None:
        """Validate; raises SettingsError."""
        for name in ("zookeeper_port", "kafka_port", "cassandra_port", "airflow_port", "mail_port", "sales_api_port"):
            _require(0 < getattr(self, name) < 65_536, name, "a port from 1 to 65535", getattr(self, name))
        for name in ("topic_partitions", "topic_replication", "cassandra_replication"):
            _require(getattr(self, name) >= 1, name, "a number from 1", getattr(self, name))
        for name in ("source_topic", "transformed_topic", "dead_letter_topic"):
            _require(_TOPIC.fullmatch(getattr(self, name)), name, "letters, digits, '.', '_', '-'", getattr(self, name))
        topics = {self.source_topic, self.transformed_topic, self.dead_letter_topic}
        _require(len(topics) == 3, "source_topic", "a topic other than the two that the job writes", self.source_topic)
        _require(
            _NAME.fullmatch(self.cassandra_keyspace),
            "cassandra_keyspace",
            "a lower-case letter, then up to 47 lower-case letters, digits or '_'",
            self.cassandra_keyspace,
        )
        _require(
            1 <= self.max_offsets_per_batch <= _BATCHES_OF,
            "max_offsets_per_batch",
            f"a number from 1 to {_BATCHES_OF}",
            self.max_offsets_per_batch,
        )
        for name in ("health_max_lag", "health_max_stale_seconds", "health_max_late_minutes"):
            _require(getattr(self, name) >= 0, name, "a number from 0", getattr(self, name))
        _require(
            0 <= self.health_max_dead_letter_percent <= 100,
            "health_max_dead_letter_percent",
            "a number from 0 to 100",
            self.health_max_dead_letter_percent,
        )
        _require(_TOPIC.fullmatch(self.cat_topic), "cat_topic", "letters, digits, '.', '_', '-'", self.cat_topic)
        _require(len(self.cat_cron.split()) == 5, "cat_cron", "a cron expression of five fields", self.cat_cron)
        _require(self.cat_consumer_group, "cat_consumer_group", "a name", self.cat_consumer_group)
        _require(self.lease_seconds >= 3, "lease_seconds", "a number from 3", self.lease_seconds)
        _require(self.max_record_bytes >= 1024, "max_record_bytes", "a number from 1024", self.max_record_bytes)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from ``env`` (the process's environment by default).

        Raises:
            SettingsError: a value that cannot be used, or an unknown name behind ``CLICKTRAIL_``.
        """
        env = os.environ if env is None else env
        kinds = {spec.name: _kind(spec.default) for spec in fields(cls)}
        given: dict[str, Any] = {}
        for variable, text in env.items():
            if not variable.startswith(PREFIX):
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name not in kinds:
                raise SettingsError(f"{variable} is no setting; .env.example lists them all")
            if text == "":
                continue
            try:
                given[name] = kinds[name](text)
            except ValueError as error:
                raise SettingsError(f"{variable} must be a whole number, not {text!r}") from error
        return cls(**given)

    @property
    def bootstrap_servers(self) -> str:
        """Kafka's addresses, with the embedded broker as the default."""
        return self.kafka_bootstrap_servers or f"{self.host}:{self.kafka_port}"

    @property
    def cassandra_contact_points(self) -> list[str]:
        """The hosts of ``cassandra_hosts``."""
        return [host.strip() for host in self.cassandra_hosts.split(",") if host.strip()]

    @property
    def cat_folder(self) -> Path:
        """Where the cat photo events and their analytics are."""
        return self.home / "cats"

    def with_changes(self, **changes: Any) -> Settings:
        """A copy with other values, validated again."""
        return replace(self, **changes)

    def to_env(self) -> dict[str, str]:
        """The environment that gives these settings again: for child processes. Defaults are left out."""
        return {
            PREFIX + spec.name.upper(): str(value)
            for spec in fields(self)
            if (value := getattr(self, spec.name)) != spec.default
        }

    def __repr__(self) -> str:
        """All values, secrets masked."""
        shown = (
            f"{spec.name}={'***' if value and spec.metadata.get('secret') else repr(value)}"
            for spec in fields(self)
            for value in [getattr(self, spec.name)]
        )
        return f"Settings({', '.join(shown)})"


def _kind(default: Any) -> Callable[[str], Any]:
    if isinstance(default, int):
        return int
    return (lambda text: Path(text).expanduser().absolute()) if isinstance(default, Path) else str


def _require(holds: object, name: str, wanted: str, given: object) -> None:
    if not holds:
        raise SettingsError(f"{PREFIX}{name.upper()} must be {wanted}, not {given!r}")
