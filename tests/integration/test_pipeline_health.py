"""Pipeline health on real servers: the DAG in Airflow; a broker that is killed and comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import pendulum
import psutil
import pytest
from confluent_kafka.admin import AdminClient

from clicktrail import store, topics
from clicktrail.brokers import confluent_config
from clicktrail.health import channels, checks, incidents, measure
from clicktrail.health.measure import RunsMeasure
from clicktrail.job import ledger
from clicktrail.sales.connections import airflow_connections
from clicktrail.servers import Stack, data_services
from clicktrail.servers.mail import mail_folder, mail_server
from clicktrail.settings import Settings
from clicktrail.workflow.airflow_api import DONE, AirflowApi
from tests.integration.support import stack_settings, wait_for


def test_the_dag_is_green(airflow_stack: Settings) -> None:
    api = AirflowApi(airflow_stack)
    api.unpause("pipeline_health")
    run_id = api.trigger("pipeline_health", {}, datetime.now(UTC))

    def ended() -> str:
        state = api.run_state("pipeline_health", run_id)
        return state if state in DONE else ""

    state = wait_for(ended, "the run's end", timeout=600, pause=2)
    tasks = api.tasks("pipeline_health", run_id)
    failed = [name for name, task in tasks.items() if task.state == "failed"]
    assert state == "success", [(name, api.log("pipeline_health", run_id, name, 1)[-8:]) for name in failed]
    found = {finding["key"]: finding for finding in api.result("pipeline_health", run_id, "judge")}
    assert {found[key]["state"] for key in ("kafka", "cassandra", "airflow", "topics", "lag")} == {"ok"}, found
    assert {f"dag_runs/{dag_id}" for dag_id in api.dags()} <= set(found)
    kafka = api.result("pipeline_health", run_id, "measure_kafka")
    assert len(kafka["source"]) == airflow_stack.topic_partitions


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[Settings, Stack]]:
    """A broker of its own, for it is killed; alerts also go by mail."""
    settings = stack_settings(tmp_path / "home").with_changes(health_email_to="ops@example.com")
    servers = Stack(settings, [one for one in data_services(settings) if one.name in {"zookeeper", "kafka"}])
    servers.up()
    yield settings, servers
    servers.down()


@pytest.fixture
def mails(broker: tuple[Settings, Stack], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A mail server that writes to this folder, and Airflow's connection to it."""
    settings, _ = broker
    monkeypatch.setenv("AIRFLOW_HOME", str(settings.home / "airflow"))
    connections = airflow_connections(settings, {})
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", connections["AIRFLOW_CONN_SMTP_DEFAULT"])
    server = mail_server(settings.host, settings.mail_port, mail_folder(settings))
    server.start()
    yield mail_folder(settings)
    server.stop()


def test_one_alert_for_a_killed_broker_and_one_all_clear(
    broker: tuple[Settings, Stack], mails: Path, pipeline: Settings
) -> None:
    settings, servers = broker
    bounds = checks.Bounds.of(settings)
    topics.ensure_topics(settings)

    def run() -> list[tuple[str, str]]:
        """What a run of the DAG does: measure, judge, tell."""
        now = datetime.now(UTC)
        kafka = measure.kafka(lambda: AdminClient(confluent_config(settings)), settings, bounds.topics, now)
        with store.connect(pipeline) as session:
            cassandra = measure.ledger(lambda: session, pipeline.cassandra_keyspace, range(4), now)
        findings = checks.judge(kafka, cassandra, RunsMeasure(error="", dags=[]), bounds, now)
        folder = settings.home / "health"
        told = incidents.announce(folder, findings, channels.channels(settings, folder), now)
        return [(notice["kind"], notice["key"]) for notice in told]

    assert run() == []
    process_id = next(status.pid for status in servers.status() if status.name == "kafka")
    assert process_id is not None
    process = psutil.Process(process_id)
    process.kill()
    psutil.wait_procs([process], timeout=60)
    assert run() == [("alert", "kafka")]
    assert run() == []
    assert servers.up() == ["kafka"]
    assert run() == [("over", "kafka")]
    assert run() == []
    alerts = (settings.home / "health" / channels.ALERTS).read_text().splitlines()
    assert [json.loads(line)["kind"] for line in alerts] == ["alert", "over"]
    subjects = [message_from_bytes(mail.read_bytes())["Subject"] for mail in sorted(mails.glob("*.eml"))]
    assert [subject.split(":")[0] for subject in subjects] == [
        "[clicktrail] ALERT kafka",
        "[clicktrail] ALL CLEAR kafka",
    ]


def test_lag_freshness_and_dead_letters_are_measured(pipeline: Settings) -> None:
    """Ten events wait in partition 0, of which the ledger has seven, three of those rejected."""
    from confluent_kafka import Producer

    producer = Producer(confluent_config(pipeline))
    for number in range(10):
        producer.produce(pipeline.source_topic, f"event {number}".encode(), partition=0)
    assert producer.flush(60) == 0
    now = datetime.now(UTC)
    admin = AdminClient(confluent_config(pipeline))
    done = [
        ledger.Entry(0, 0, 4, good=2, rejected={"not_json": 3}),
        ledger.Entry(0, 5, 6, good=2),
    ]
    with store.connect(pipeline) as session:
        ledger.write(session, done[:1], 0, 1, 0.1, now)
        ledger.write(session, done[1:], 1, 1, 0.1, now)
        as_airflow_gives_it = pendulum.instance(now)
        cassandra = measure.ledger(lambda: session, pipeline.cassandra_keyspace, range(4), as_airflow_gives_it)
    assert cassandra == {"error": "", "covered": {"0": 7, "1": 0, "2": 0, "3": 0}, "read": 7, "good": 4}

    calm = measure.kafka(lambda: admin, pipeline, [pipeline.source_topic], now)
    assert calm["topics"] == {pipeline.source_topic: "LogAppendTime"}
    assert calm["source"]["0"] == {"first": 0, "end": 10, "due": 0}
    assert calm["source"]["1"] == {"first": 0, "end": 0, "due": 0}
    assert checks.lag(calm, cassandra, 2)["text"].startswith("3 events wait")
    assert checks.freshness(calm, cassandra, 90_000)["state"] == "ok"

    strict = pipeline.with_changes(health_max_stale_seconds=0)
    late = measure.kafka(lambda: admin, strict, [], datetime.now(UTC))
    assert late["source"]["0"]["due"] == 10
    assert checks.freshness(late, cassandra, 0)["state"] == "bad"
