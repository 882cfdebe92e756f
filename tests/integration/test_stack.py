"""The real servers: crash and restart with their data, ports, Ctrl-C, and topics that are not as they should be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import NewTopic

from clicktrail import brokers, store, topics
from clicktrail.errors import ClicktrailError
from clicktrail.servers import Stack, State, data_services, process
from clicktrail.servers.process import Files
from clicktrail.settings import PROJECT, Settings
from tests.integration.support import stack_settings, wait_for

SERVICES = ["zookeeper", "kafka", "cassandra"]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Servers of this module alone: the tests stop and kill them."""
    settings = stack_settings(tmp_path_factory.mktemp("own"))
    try:
        yield settings
    finally:
        Stack(settings, data_services(settings)).down()


def clicktrail(settings: Settings, *args: str) -> subprocess.Popen[str]:
    """The command line, as a program of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "clicktrail.cli", *args],
        cwd=PROJECT,
        env={**os.environ, **settings.to_env()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_ctrl_c_during_the_start_leaves_nothing(own: Settings) -> None:
    files = Files(own.home)
    with clicktrail(own, "up", *SERVICES) as starting:
        wait_for(lambda: all(files.pid(name).exists() for name in ("zookeeper", "cassandra")), "the start", pause=0.05)
        pids = [int(files.pid(name).read_text()) for name in ("zookeeper", "cassandra")]
        starting.send_signal(signal.SIGINT)
        starting.communicate(timeout=180)

    assert starting.returncode != 0
    assert not list(files.run.glob("*.pid"))
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert [each for name in SERVICES for each in process.members(name, files)] == []


def test_a_crash_is_survived_with_all_data(own: Settings) -> None:
    stack = Stack(own, data_services(own))
    with clicktrail(own, "up", *SERVICES) as starting:
        said, _ = starting.communicate(timeout=600)
    assert starting.returncode == 0, said
    assert [line.state for line in stack.status()] == [State.SERVING] * 3
    write(own)
    before = {line.name: line.pid for line in stack.status()}

    for name in ("kafka", "cassandra"):
        os.kill(before[name] or 0, signal.SIGKILL)
        wait_for(lambda name=name: process.find(name, stack.files) is None, f"the end of {name}")
    assert [line.state for line in stack.status()] == [State.SERVING, State.STOPPED, State.STOPPED]
    assert stack.up() == ["kafka", "cassandra"]  # though ZooKeeper holds the killed broker's node for a while

    after = {line.name: line.pid for line in stack.status()}
    assert after["zookeeper"] == before["zookeeper"]
    assert after["kafka"] != before["kafka"]
    assert read(own) == ([("visitor", b"kept")], [("clickstream_job", 7)])
    assert stack.up() == []


def test_a_second_stack_on_the_same_ports_is_told_who_has_them(own: Settings, tmp_path: Path) -> None:
    other = own.with_changes(home=tmp_path / "other")
    pids = {line.name: line.pid for line in Stack(own, data_services(own)).status()}

    with pytest.raises(ClicktrailError) as told:
        Stack(other, data_services(other)).up()

    for name, port in (("zookeeper", own.zookeeper_port), ("kafka", own.kafka_port), ("cassandra", own.cassandra_port)):
        assert f"Port {port} for {name} is taken by java (pid {pids[name]}" in str(told.value)
        assert f"CLICKTRAIL_{name.upper()}_PORT" in str(told.value)
    assert not list(Files(other.home).run.glob("*.pid"))


def test_topics_carry_the_brokers_clock_and_room_for_rejects(own: Settings) -> None:
    found = topics.topic_configs(own, [own.source_topic, own.transformed_topic, own.dead_letter_topic])

    assert {config[topics.TIMESTAMPS] for config in found.values()} == {"LogAppendTime"}
    assert [int(config[topics.LARGEST]) // own.max_record_bytes for config in found.values()] == [1, 2, 2]
    assert topics.list_topics(own)[own.source_topic] == own.topic_partitions
    assert topics.ensure_topics(own) == []


def test_a_topic_with_the_clients_clock_is_refused_with_the_cure(own: Settings) -> None:
    wrong = own.with_changes(source_topic="clients_clock")
    client = topics.admin(wrong)
    config = {topics.TIMESTAMPS: "CreateTime"}
    client.create_topics([NewTopic("clients_clock", 1, 1, config=config)])["clients_clock"].result(60)

    with pytest.raises(ClicktrailError, match=r"clients_clock has .*=CreateTime.*kafka-configs .*LogAppendTime"):
        topics.ensure_topics(wrong)


def test_tables_that_an_older_schema_lacks_are_named_with_the_cure(own: Settings) -> None:
    with store.connect(own) as session:
        store.check_tables(session)
        session.execute("DROP TABLE visitors_pending")

    with (
        store.connect(own) as session,
        pytest.raises(ClicktrailError, match=r"has no table visitors_pending\. Make it with: clicktrail up;"),
    ):
        store.check_tables(session)

    with clicktrail(own, "up", *SERVICES) as again:
        again.communicate(timeout=300)
    with store.connect(own) as session:
        store.check_tables(session)


def test_down_and_up_again_keeps_the_data(own: Settings) -> None:
    stack = Stack(own, data_services(own))
    with clicktrail(own, "down") as stopping:
        said, _ = stopping.communicate(timeout=300)
    assert all(name in said for name in SERVICES)
    assert [line.state for line in stack.status()] == [State.STOPPED] * 3
    assert [each for name in SERVICES for each in process.members(name, stack.files)] == []

    assert stack.up() == SERVICES

    assert read(own) == ([("visitor", b"kept")], [("clickstream_job", 7)])


def write(settings: Settings) -> None:
    """One record in Kafka, one row in Cassandra."""
    producer = Producer({**brokers.confluent_config(settings), "acks": "all"})
    producer.produce(settings.source_topic, key="visitor", value=b"kept")
    assert producer.flush(60) == 0
    with store.connect(settings) as session:
        session.execute("INSERT INTO job_lease (query, epoch) VALUES ('clickstream_job', 7)")


def read(settings: Settings) -> tuple[list[tuple[str, bytes]], list[tuple[str, int]]]:
    """What :func:`write` wrote."""
    consumer = Consumer(
        {
            **brokers.confluent_config(settings),
            "group.id": f"look-{os.urandom(4).hex()}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([settings.source_topic])
    try:
        message = wait_for(lambda: consumer.poll(1.0), "the record")
        assert message.error() is None
        records = [(message.key().decode(), message.value())]
    finally:
        consumer.close()
    with store.connect(settings) as session:
        rows = [(row.query, row.epoch) for row in session.execute("SELECT query, epoch FROM job_lease")]
    return records, rows
