"""Watches a run of a DAG to its end, and finds the reason where it is not green."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from clicktrail.errors import ClicktrailError
from clicktrail.workflow.airflow_api import DONE, AirflowApi, AirflowAwayError, TaskState

_LOOK = 1.0  # seconds between two looks
_PATIENCE = 120.0  # seconds without an answer of Airflow, or of its scheduler
_ENDED = {"success": "green", "failed": "red", "skipped": "yellow", "upstream_failed": "red", "removed": "yellow"}
_SHOWN = {"up_for_retry": "failed, it will be tried again", "upstream_failed": "not started, one before it failed"}
_JOB_ERROR = " ERROR clickstream_job: "  # what the Spark job says at its end, after much that Spark says
_LINES = 12
_LONGEST = 4_000  # characters of an error: the command line of spark-submit is long

States = dict[str, TaskState]


class Show(Protocol):
    """What the watching tells as it goes."""

    def __call__(self, states: States) -> None:
        """Called after each look."""


@dataclass
class Outcome:
    """How a run ended."""

    state: str
    tasks: States = field(default_factory=dict)

    @property
    def green(self) -> bool:
        """Whether all of it went well."""
        return self.state == "success"

    @property
    def failed(self) -> list[TaskState]:
        """The tasks that failed themselves."""
        return [task for task in self.tasks.values() if task.state == "failed"]


def follow(
    api: AirflowApi, dag_id: str, run_id: str, show: Show, pause: Callable[[float], None] = time.sleep
) -> Outcome:
    """Look at a run until it has ended.

    Raises:
        ClicktrailError: Airflow, or its scheduler, gave no sign of life for two minutes.
    """
    heard = time.monotonic()
    while True:
        try:
            state, tasks = api.run_state(dag_id, run_id), api.tasks(dag_id, run_id)
            show(tasks)
            if state in DONE:
                return Outcome(state, tasks)
            if api.health().get("scheduler") == "healthy":
                heard = time.monotonic()
        except AirflowAwayError:
            if time.monotonic() - heard > _PATIENCE:
                raise
        if time.monotonic() - heard > _PATIENCE:
            raise ClicktrailError(
                f"Airflow's scheduler gives no sign of life, and the run {run_id} waits for it. See: clicktrail status"
            )
        pause(_LOOK)


@contextmanager
def display(console: Console, dag_id: str, task_ids: list[str]) -> Iterator[Show]:
    """A progress bar over the tasks on a terminal; everywhere one line a task that ended."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    width = max(map(len, task_ids), default=0)
    told: dict[str, tuple[str, int]] = {}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(dag_id, total=len(task_ids))

        def show(states: States) -> None:
            for task_id in (name for name in task_ids if name in states):
                task = states[task_id]
                now = (task.state, task.try_number)
                if told.get(task_id) != now and (task.state in _ENDED or task.state in _SHOWN):
                    told[task_id] = now
                    progress.console.print(_line(task, width), highlight=False)
            running = [task.task_id for task in states.values() if task.state == "running"]
            ended = sum(task.state in _ENDED for task in states.values())
            progress.update(bar, completed=ended, description=", ".join(running) or f"{dag_id} waits")

        yield show


def reason(api: AirflowApi, dag_id: str, run_id: str, task: TaskState) -> str:
    """Why a task failed: the sentence of its error, or the last lines of its log."""
    try:
        lines = api.log(dag_id, run_id, task.task_id, task.try_number)
    except ClicktrailError as error:
        return f"(its log cannot be read: {error})"
    said = [str(line["event"]) for line in lines if _JOB_ERROR in str(line.get("event", ""))]
    if said:
        return said[-1]
    raised = [found for line in lines for found in _raised(line)]
    if raised:
        return raised[-1]
    return "\n".join(str(line.get("event", "")) for line in lines[-_LINES:]) or "(its log is empty)"


def _raised(line: dict[str, Any]) -> list[str]:
    details = line.get("error_detail") or []
    told = [detail for detail in details if isinstance(detail, dict) and not detail.get("is_cause")]
    said = [f"{detail.get('exc_type')}: {detail.get('exc_value')}" for detail in told]
    return [text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}" for text in said]


def _line(task: TaskState, width: int) -> str:
    colour = _ENDED.get(task.state, "yellow")
    seconds = f"{task.seconds:7.1f} s" if task.seconds is not None and task.state != "upstream_failed" else " " * 9
    return f"  {task.task_id:<{width}} {seconds}  [{colour}]{_SHOWN.get(task.state, task.state)}[/]"
