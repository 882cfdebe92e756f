"""What a run produced, as tables for people: what went in, what came out, how long each stage took."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from cassandra.cluster import Session
from rich.console import Console
from rich.table import Table

from clicktrail import store
from clicktrail.settings import Settings
from clicktrail.workflow.airflow_api import AirflowApi
from clicktrail.workflow.follow import Outcome

TABLES = ("events_by_user_day", "page_metrics", "top_pages", "sessions_by_user", "dead_letters", "batch_ledger")
_COUNT_SECONDS = 20.0
_SLICES = 64
_FIRST, _LAST = -(2**63), 2**63 - 1


def print_summary(
    console: Console, settings: Settings, api: AirflowApi, dag_id: str, run_id: str, outcome: Outcome
) -> None:
    """Print the tables; of a DAG without a window of offsets only the stages."""
    window = api.result(dag_id, run_id, "extract_from_kafka") if "extract_from_kafka" in outcome.tasks else None
    if window:
        report = api.result(dag_id, run_id, "load_to_destination")
        console.print(_events(window, report))
        with store.connect(settings) as session:
            console.print(_rows(session, settings))
    console.print(_stages(outcome, api.task_order(dag_id)))
    console.print(f"Airflow: {api.base}/dags/{dag_id}/runs/{run_id}", highlight=False, soft_wrap=True)


def count_rows(session: Session, keyspace: str, table: str, seconds: float = _COUNT_SECONDS) -> tuple[int, bool]:
    """The rows of a table, counted slice by slice of the token ring.

    Returns:
        The count, and whether it is all: counting stops after ``seconds``.
    """
    key = ", ".join(column.name for column in session.cluster.metadata.keyspaces[keyspace].tables[table].partition_key)
    statement = session.prepare(
        f"SELECT COUNT(*) FROM {keyspace}.{table} WHERE token({key}) >= ? AND token({key}) <= ?"
    )
    width = 2**64 // _SLICES
    counted, end = 0, time.monotonic() + seconds
    for number in range(_SLICES):
        first = _FIRST + number * width
        counted += session.execute(statement, (first, min(first + width - 1, _LAST))).one()[0]
        if time.monotonic() > end and number < _SLICES - 1:
            return counted, False
    return counted, True


def _events(window: Mapping[str, Any], report: Mapping[str, Any] | None) -> Table:
    table = _table("this run", "events")
    offsets = sum(end - first for first, end in window["partitions"].values())
    table.add_row(f"in: offsets of {window['topic']}", f"{offsets:,}")
    if report is None:
        return table
    if report["sampled"]:
        table.add_row(f"looked for, a sample of {report['checked']:,}:", "")
    table.add_row("good events", f"{report['good']:,}")
    table.add_row("  distinct (a repeat lands on the same row)", f"{report['rows']:,}")
    table.add_row("dead letters", f"{sum(report['rejected'].values()):,}")
    for reason, count in report["rejected"].items():
        table.add_row(f"  {reason}", f"{count:,}")
    return table


def _rows(session: Session, settings: Settings) -> Table:
    table = _table(f"keyspace {settings.cassandra_keyspace}", "rows")
    known = session.cluster.metadata.keyspaces[settings.cassandra_keyspace].tables
    for name in (name for name in TABLES if name in known):
        count, complete = count_rows(session, settings.cassandra_keyspace, name)
        table.add_row(name, f"{count:,}" if complete else f"more than {count:,}")
    return table


def _stages(outcome: Outcome, order: list[str]) -> Table:
    table = _table("stage", "seconds")
    for task_id in order:
        task = outcome.tasks.get(task_id)
        if task is not None:
            table.add_row(task_id, task.state if task.state != "success" else f"{task.seconds or 0:.1f}")
    return table


def _table(left: str, right: str) -> Table:
    table = Table(min_width=60)
    table.add_column(left, overflow="fold")
    table.add_column(right, justify="right")
    return table
