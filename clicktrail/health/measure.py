"""Measures the pipeline: asks Kafka, Cassandra and Airflow, each with time-outs, and judges nothing.

What cannot be asked is a measurement too: ``error`` then says why. All measurements are JSON, for they go through XCom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from cassandra import DriverException
from cassandra.cluster import NoHostAvailable, Session
from cassandra.protocol import ErrorMessage
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType

from clicktrail.errors import ClicktrailError
from clicktrail.job.ledger import QUERY
from clicktrail.settings import Settings
from clicktrail.workflow.airflow_api import AirflowApi

TIMEOUT_SECONDS = 10.0
LOOKBACK_DAYS = 31
"""Events that the broker took before are not looked at, nor the ledger of days before."""
RUNS_LOOKED_AT = 5


class PartitionMarks(TypedDict):
    """Offsets of one partition of the source topic."""

    first: int
    """First offset that the broker has and that is not older than LOOKBACK_DAYS."""
    end: int
    due: int
    """Offsets below this are older than what may wait."""


class KafkaMeasure(TypedDict):
    """What the broker says."""

    error: str
    brokers: int
    topics: dict[str, str]
    """Existing topics of the pipeline, with their ``message.timestamp.type``."""
    source: dict[str, PartitionMarks]
    group_lag: dict[str, int]
    """Offsets that wait for a consumer group which has committed some."""


class LedgerMeasure(TypedDict):
    """What Cassandra says."""

    error: str
    covered: dict[str, int]
    """Of each partition, the next offset that the job will take."""
    read: int
    """Events that the job read within a day."""
    good: int


class DagMeasure(TypedDict):
    """One DAG; times are ISO 8601, empty where there is none."""

    dag_id: str
    paused: bool
    next_run_after: str
    finished_run: str
    """Id of the latest run that has ended."""
    finished_state: str
    queued_run: str
    """Id of the oldest run that waits in the queue, among the latest few."""
    queued_at: str


class RunsMeasure(TypedDict):
    """What Airflow says."""

    error: str
    dags: list[DagMeasure]


def kafka(connect: Callable[[], AdminClient], settings: Settings, topics: Iterable[str], now: datetime) -> KafkaMeasure:
    """Measure broker, topics, the source topic's offsets and the lag of the cat photo consumer's group.

    Args:
        connect: makes the client, such as a hook's ``get_conn``.
        settings: names of topics and group, and how old a waiting event may be.
        topics: the topics that should exist.
        now: the time.
    """
    measured = KafkaMeasure(error="", brokers=0, topics={}, source={}, group_lag={})
    try:
        admin = connect()
        found = admin.list_topics(timeout=TIMEOUT_SECONDS)
        measured["brokers"] = len(found.brokers)
        sizes = {name: len(topic.partitions) for name, topic in found.topics.items()}
        measured["topics"] = _timestamp_types(admin, [name for name in topics if name in sizes])
        if settings.source_topic in sizes:
            measured["source"] = _source_marks(admin, settings, sizes[settings.source_topic], now)
        if settings.cat_topic in sizes:
            measured["group_lag"] = _group_lag(admin, settings.cat_consumer_group, settings.cat_topic)
    except KafkaException as error:
        measured["error"] = _reason(error)
    except TimeoutError:
        measured["error"] = f"no answer within {TIMEOUT_SECONDS:.0f} s"
    return measured


def ledger(connect: Callable[[], Session], keyspace: str, partitions: Iterable[int], now: datetime) -> LedgerMeasure:
    """Measure how far the job has come by its ledger, and what it read within a day.

    Args:
        connect: opens the session, such as a hook's ``get_conn``.
        keyspace: where ``batch_ledger`` is.
        partitions: those of the source topic.
        now: the time.
    """
    measured = LedgerMeasure(error="", covered={}, read=0, good=0)
    now = datetime.fromtimestamp(now.timestamp(), UTC)  # the driver quotes no subclass, such as pendulum's
    try:
        session = connect()
        for partition in partitions:
            measured["covered"][str(partition)] = _next_offset(session, keyspace, partition, now)
            read, good = _read_within_a_day(session, keyspace, partition, now)
            measured["read"] += read
            measured["good"] += good
    except NoHostAvailable as error:
        measured["error"] = "; ".join(str(reason) for reason in dict(error.errors or {}).values()) or str(error)
    except (DriverException, ErrorMessage) as error:
        measured["error"] = f"{type(error).__name__}: {error}"
    return measured


def dag_runs(api: AirflowApi) -> RunsMeasure:
    """Measure when each DAG should run next, and what became of its latest runs."""
    try:
        dags = api.get("dags", limit=100)["dags"]
        return RunsMeasure(error="", dags=[_dag(api, dag) for dag in dags])
    except ClicktrailError as error:
        return RunsMeasure(error=str(error), dags=[])


def _timestamp_types(admin: AdminClient, names: list[str]) -> dict[str, str]:
    if not names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    answers = admin.describe_configs(resources, request_timeout=TIMEOUT_SECONDS)
    return {
        resource.name: str(future.result(TIMEOUT_SECONDS * 2)["message.timestamp.type"].value)
        for resource, future in answers.items()
    }


def _source_marks(admin: AdminClient, settings: Settings, size: int, now: datetime) -> dict[str, PartitionMarks]:
    topic = settings.source_topic
    horizon = now - timedelta(days=LOOKBACK_DAYS)
    bound = now - timedelta(seconds=settings.health_max_stale_seconds)
    firsts = _offsets(admin, topic, size, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
    ends = _offsets(admin, topic, size, OffsetSpec.latest())  # type: ignore[no-untyped-call]
    seen = _offsets(admin, topic, size, OffsetSpec.for_timestamp(_milliseconds(horizon)))
    due = _offsets(admin, topic, size, OffsetSpec.for_timestamp(_milliseconds(bound)))
    return {
        str(partition): PartitionMarks(
            first=max(firsts[partition], _or_end(seen, ends, partition)),
            end=ends[partition],
            due=_or_end(due, ends, partition),
        )
        for partition in range(size)
    }


def _or_end(found: Mapping[int, int], ends: Mapping[int, int], partition: int) -> int:
    """Where the broker has nothing as young, it says -1: all offsets are older."""
    return min(found[partition], ends[partition]) if found[partition] >= 0 else ends[partition]


def _offsets(admin: AdminClient, topic: str, size: int, spec: OffsetSpec) -> dict[int, int]:
    asked = {TopicPartition(topic, partition): spec for partition in range(size)}
    answers = admin.list_offsets(asked, request_timeout=TIMEOUT_SECONDS)
    return {at.partition: future.result(TIMEOUT_SECONDS * 2).offset for at, future in answers.items()}


def _group_lag(admin: AdminClient, group: str, topic: str) -> dict[str, int]:
    request = ConsumerGroupTopicPartitions(group)
    answers = admin.list_consumer_group_offsets([request], request_timeout=TIMEOUT_SECONDS)
    committed = answers[group].result(TIMEOUT_SECONDS * 2).topic_partitions or []
    known = {at.partition: at.offset for at in committed if at.topic == topic and at.offset >= 0}
    if not known:
        return {}
    ends = _offsets(admin, topic, max(known) + 1, OffsetSpec.latest())  # type: ignore[no-untyped-call]
    return {group: sum(max(0, ends[partition] - offset) for partition, offset in known.items())}


def _next_offset(session: Session, keyspace: str, partition: int, now: datetime) -> int:
    select = (
        f"SELECT max(last_offset) AS last FROM {keyspace}.batch_ledger WHERE query = %s AND day = %s AND partition = %s"
    )
    today = now.date()
    for back in range(-1, LOOKBACK_DAYS + 1):  # from tomorrow: the job's clock may be ahead
        key = (QUERY, today - timedelta(days=back), partition)
        last = session.execute(select, key, timeout=TIMEOUT_SECONDS).one().last
        if last is not None:
            return int(last) + 1
    return 0


def _read_within_a_day(session: Session, keyspace: str, partition: int, now: datetime) -> tuple[int, int]:
    select = (
        f"SELECT sum(events_read) AS read, sum(good) AS good FROM {keyspace}.batch_ledger "
        "WHERE query = %s AND day = %s AND partition = %s AND finished_at > %s ALLOW FILTERING"
    )  # filters within one partition
    today, since = now.date(), now - timedelta(days=1)
    keys = [(QUERY, today - timedelta(days=back), partition, since) for back in (-1, 0, 1)]
    rows = [session.execute(select, key, timeout=TIMEOUT_SECONDS).one() for key in keys]
    return sum(row.read or 0 for row in rows), sum(row.good or 0 for row in rows)


def _dag(api: AirflowApi, dag: Mapping[str, Any]) -> DagMeasure:
    runs = api.get(f"dags/{dag['dag_id']}/dagRuns", order_by="-run_after", limit=RUNS_LOOKED_AT)["dag_runs"]
    ended: Mapping[str, Any] = next((run for run in runs if run["state"] in {"success", "failed"}), {})
    queued: Mapping[str, Any] = next((run for run in reversed(runs) if run["state"] == "queued"), {})
    return DagMeasure(
        dag_id=dag["dag_id"],
        paused=dag["is_paused"],
        next_run_after=dag.get("next_dagrun_run_after") or "",
        finished_run=ended.get("dag_run_id", ""),
        finished_state=ended.get("state", ""),
        queued_run=queued.get("dag_run_id", ""),
        queued_at=queued.get("queued_at") or "",
    )


def _milliseconds(moment: datetime) -> int:
    return max(0, int(moment.timestamp() * 1000))


def _reason(error: KafkaException) -> str:
    cause = error.args[0] if error.args else error
    return cause.str() if isinstance(cause, KafkaError) else str(cause)
