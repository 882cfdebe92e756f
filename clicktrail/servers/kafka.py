"""ZooKeeper and Kafka of the embedded stack: one node each."""

from __future__ import annotations

import socket

from clicktrail import topics
from clicktrail.errors import ClicktrailError
from clicktrail.servers.jvm import java_command, write_properties
from clicktrail.servers.process import Files
from clicktrail.servers.service import Service, port_open
from clicktrail.settings import Settings

_SESSION_MS = 10_000  # ZooKeeper keeps the node of a broker that was killed for this long


def zookeeper_service(settings: Settings) -> Service:
    """ZooKeeper, standalone."""
    files = Files(settings.home)
    config = files.run / "zookeeper.properties"

    def prepare() -> None:
        data = files.data / "zookeeper"
        data.mkdir(parents=True, exist_ok=True)
        (settings.home / "tmp").mkdir(exist_ok=True)
        write_properties(
            config,
            {
                "dataDir": data,
                "clientPort": settings.zookeeper_port,
                "clientPortAddress": settings.host,
                "tickTime": 2000,
                "maxClientCnxns": 0,
                "admin.enableServer": "false",
                "4lw.commands.whitelist": "srvr",
                "autopurge.purgeInterval": 24,
            },
        )

    return Service(
        name="zookeeper",
        command=java_command(
            settings,
            "kafka",
            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            str(config),
            options=("-Xms32m", "-Xmx128m", "-XX:+UseSerialGC", "-Dzookeeper.jmx.log4j.disable=true"),
        ),
        check=lambda: _zookeeper_reason(settings),
        ports={"zookeeper_port": settings.zookeeper_port},
        prepare=prepare,
        memory_mb=150,
    )


def kafka_service(settings: Settings) -> Service:
    """One Kafka broker, with ZooKeeper."""
    files = Files(settings.home)
    config = files.run / "kafka.properties"
    here = settings.with_changes(
        kafka_bootstrap_servers="", kafka_security_protocol="PLAINTEXT", kafka_sasl_mechanism="", topic_replication=1
    )

    def prepare() -> None:
        (settings.home / "tmp").mkdir(exist_ok=True)
        write_properties(config, _broker_properties(settings, files))

    return Service(
        name="kafka",
        command=java_command(
            settings,
            "kafka",
            "kafka.Kafka",
            str(config),
            options=("-Xms256m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"),
        ),
        check=lambda: _kafka_reason(here),
        ports={"kafka_port": settings.kafka_port},
        after=("zookeeper",),
        prepare=prepare,
        ready=lambda: _ready(here),
        memory_mb=800,
        restarts=6,
    )


def _broker_properties(settings: Settings, files: Files) -> dict[str, object]:
    address = f"PLAINTEXT://{settings.host}:{settings.kafka_port}"
    return {
        "broker.id": 0,
        "listeners": address,
        "advertised.listeners": address,
        "zookeeper.connect": f"{settings.host}:{settings.zookeeper_port}",
        "zookeeper.session.timeout.ms": _SESSION_MS,
        "log.dirs": files.data / "kafka",
        "log.message.timestamp.type": "LogAppendTime",
        "auto.create.topics.enable": "false",
        "num.partitions": settings.topic_partitions,
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "log.cleaner.dedupe.buffer.size": 16_777_216,
    }


def _zookeeper_reason(settings: Settings) -> str | None:
    try:
        with socket.create_connection((settings.host, settings.zookeeper_port), timeout=5) as connection:
            connection.sendall(b"srvr")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    except OSError as error:
        return f"no answer on port {settings.zookeeper_port} ({error})"
    return None if b"Mode: standalone" in answer else answer.decode("utf-8", "replace").strip() or "an empty answer"


def _kafka_reason(settings: Settings) -> str | None:
    if not port_open(settings.host, settings.kafka_port):
        return f"no answer on port {settings.kafka_port}"
    try:
        topics.list_topics(settings, timeout=5)
    except ClicktrailError as error:
        return str(error)
    return None


def _ready(settings: Settings) -> None:
    topics.ensure_topics(settings)
