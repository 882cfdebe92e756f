"""Judges measurements: pure functions from measured numbers and bounds to findings.

A finding is ``ok``, ``bad`` or ``unknown``. What could not be measured is unknown and changes nothing: while the broker
is away there is one alert, for the broker, and none for the lag that nobody can see.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from clicktrail.health.measure import DagMeasure, KafkaMeasure, LedgerMeasure, RunsMeasure
from clicktrail.settings import Settings

OK, BAD, UNKNOWN = "ok", "bad", "unknown"
FEWEST_FOR_A_RATE = 100


class Finding(TypedDict):
    """What one check found."""

    key: str
    """Names the incident: while it is bad, it is one."""
    state: str
    text: str


@dataclass(frozen=True)
class Bounds:
    """What is still in order."""

    topics: tuple[str, ...]
    lag: int
    stale_seconds: int
    dead_letter_percent: int
    late: timedelta

    @classmethod
    def of(cls, settings: Settings) -> Bounds:
        """The bounds that the settings name."""
        return cls(
            topics=(settings.source_topic, settings.transformed_topic, settings.dead_letter_topic),
            lag=settings.health_max_lag,
            stale_seconds=settings.health_max_stale_seconds,
            dead_letter_percent=settings.health_max_dead_letter_percent,
            late=timedelta(minutes=settings.health_max_late_minutes),
        )


def judge(
    kafka: KafkaMeasure, ledger: LedgerMeasure, runs: RunsMeasure, bounds: Bounds, now: datetime
) -> list[Finding]:
    """All findings, in the order in which a person would look."""
    return [
        reachable("kafka", "Kafka", kafka["error"], f"{kafka['brokers']} brokers answer"),
        reachable("cassandra", "Cassandra", ledger["error"], "Cassandra answers"),
        reachable("airflow", "Airflow's API", runs["error"], f"{len(runs['dags'])} DAGs"),
        topics(kafka, bounds.topics),
        lag(kafka, ledger, bounds.lag),
        freshness(kafka, ledger, bounds.stale_seconds),
        *group_lags(kafka, bounds.lag),
        dead_letters(ledger, bounds.dead_letter_percent),
        *(dag_runs(dag, bounds.late, now) for dag in runs["dags"]),
    ]


def reachable(key: str, name: str, error: str, fine: str) -> Finding:
    """Whether a server answers."""
    return Finding(key=key, state=BAD, text=f"{name} cannot be asked: {error}") if error else _ok(key, fine)


def topics(kafka: KafkaMeasure, wanted: Iterable[str]) -> Finding:
    """Whether the pipeline's topics exist and carry the broker's clock."""
    if kafka["error"]:
        return _unknown("topics")
    found = kafka["topics"]
    wrong = [f"{name} is missing (`clicktrail up` makes it)" for name in wanted if name not in found]
    wrong += [
        f"{name} has message.timestamp.type={found[name]}, not LogAppendTime"
        for name in wanted
        if found.get(name, "LogAppendTime") != "LogAppendTime"
    ]
    return _judged("topics", wrong, "all topics are there, with the broker's clock")


def lag(kafka: KafkaMeasure, ledger: LedgerMeasure, most: int) -> Finding:
    """How many events of the source topic wait for the job, by its ledger."""
    if kafka["error"] or ledger["error"]:
        return _unknown("lag")
    waiting = sum(
        max(0, marks["end"] - max(marks["first"], ledger["covered"].get(partition, 0)))
        for partition, marks in kafka["source"].items()
    )
    text = f"{waiting:,} events wait for the job; {most:,} may"
    return Finding(key="lag", state=BAD if waiting > most else OK, text=text)


def freshness(kafka: KafkaMeasure, ledger: LedgerMeasure, seconds: int) -> Finding:
    """Whether an event waits for Cassandra for longer than it may."""
    if kafka["error"] or ledger["error"]:
        return _unknown("freshness")
    overdue = sum(
        max(0, marks["due"] - max(marks["first"], ledger["covered"].get(partition, 0)))
        for partition, marks in kafka["source"].items()
    )
    allowed = timedelta(seconds=seconds)
    if overdue:
        return Finding(key="freshness", state=BAD, text=f"{overdue:,} events wait for Cassandra for over {allowed}")
    return _ok("freshness", f"no event waits for Cassandra for over {allowed}")


def group_lags(kafka: KafkaMeasure, most: int) -> list[Finding]:
    """How many events wait for each consumer group."""
    return [
        Finding(
            key=f"group_lag/{group}",
            state=BAD if waiting > most else OK,
            text=f"{waiting:,} events wait for the consumer group {group}; {most:,} may",
        )
        for group, waiting in kafka["group_lag"].items()
    ]


def dead_letters(ledger: LedgerMeasure, percent: int) -> Finding:
    """Which part of the events that the job read within a day it rejected."""
    if ledger["error"]:
        return _unknown("dead_letters")
    rejected = ledger["read"] - ledger["good"]
    text = f"{rejected:,} of {ledger['read']:,} events of the last day were rejected; {percent} % may be"
    bad = ledger["read"] >= FEWEST_FOR_A_RATE and rejected * 100 > percent * ledger["read"]
    return Finding(key="dead_letters", state=BAD if bad else OK, text=text)


def dag_runs(dag: DagMeasure, late: timedelta, now: datetime) -> Finding:
    """Whether a DAG's latest finished run failed, its next one is overdue, or one waits in the queue for too long."""
    wrong = []
    if dag["finished_state"] == "failed":
        wrong.append(f"run {dag['finished_run']} failed")
    if not dag["paused"] and _is_past(dag["next_run_after"], late, now):
        wrong.append(f"the run of {dag['next_run_after']} has not started")
    if _is_past(dag["queued_at"], late, now):
        wrong.append(f"run {dag['queued_run']} has been queued since {dag['queued_at']}")
    said = [f"{dag['dag_id']}: {', '.join(wrong)}"] if wrong else []
    return _judged(f"dag_runs/{dag['dag_id']}", said, f"{dag['dag_id']}: no failed or late run")


def _is_past(moment: str, by: timedelta, now: datetime) -> bool:
    return bool(moment) and datetime.fromisoformat(moment) + by < now


def _judged(key: str, wrong: list[str], fine: str) -> Finding:
    return Finding(key=key, state=BAD if wrong else OK, text="; ".join(wrong) or fine)


def _ok(key: str, text: str) -> Finding:
    return Finding(key=key, state=OK, text=text)


def _unknown(key: str) -> Finding:
    return Finding(key=key, state=UNKNOWN, text="could not be measured")
