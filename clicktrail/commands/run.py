"""``clicktrail run``: start a DAG, follow it, say what it produced."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any

import typer
from rich.console import Console

from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings
from clicktrail.workflow.airflow_api import AirflowApi, NotFoundError
from clicktrail.workflow.follow import Outcome, display, follow, reason
from clicktrail.workflow.summary import print_summary

MAIN_DAG = "clickstream_etl_workflow"


def run(
    dag_id: Annotated[str, typer.Argument(help="the DAG to run")] = MAIN_DAG,
    count: Annotated[int | None, typer.Option(help="how many clicks to simulate")] = None,
    seed: Annotated[int | None, typer.Option(help="gives the simulated visitors")] = None,
    rate: Annotated[float | None, typer.Option(help="simulated clicks a second; 0: as fast as it goes")] = None,
    invalid: Annotated[float | None, typer.Option(help="share of bad messages among the clicks, 0 to 1")] = None,
    duplicates: Annotated[float | None, typer.Option(help="share of repeats among the clicks, 0 to 1")] = None,
    simulate: Annotated[
        bool | None, typer.Option("--simulate/--no-simulate", help="send simulated clicks first")
    ] = None,
    conf: Annotated[str, typer.Option(help="more parameters of the DAG, as a JSON object")] = "{}",
) -> None:
    """Run a DAG now, follow it to its end, and show what it produced; exits with 1 where it is not green."""
    console = Console()
    settings = Settings.from_env()
    given = {"count": count, "seed": seed, "rate": rate, "invalid": invalid, "duplicates": duplicates}
    given["simulate"] = simulate
    parameters = {name: value for name, value in given.items() if value is not None} | _parsed(conf)
    api = AirflowApi(settings)
    run_id = start(api, dag_id, parameters, console)
    with display(console, dag_id, api.task_order(dag_id)) as show:
        outcome = follow(api, dag_id, run_id, show)
    print_summary(console, settings, api, dag_id, run_id, outcome)
    _judge(api, dag_id, run_id, outcome)


def start(api: AirflowApi, dag_id: str, parameters: dict[str, Any], console: Console) -> str:
    """Unpause the DAG and trigger it; gives the run's id.

    Raises:
        ClicktrailError: no such DAG, a parameter that does not fit, or Airflow is away.
    """
    try:
        api.unpause(dag_id)
    except NotFoundError as error:
        raise ClicktrailError(f"There is no DAG {dag_id!r}. There are: {', '.join(sorted(api.dags()))}") from error
    before = api.active_runs(dag_id)
    run_id = api.trigger(dag_id, parameters, dt.datetime.now(dt.UTC))
    console.print(f"run {run_id} of {dag_id}", highlight=False, soft_wrap=True)
    if before:
        console.print(f"  it waits until {', '.join(before)} has ended", highlight=False, soft_wrap=True)
    return run_id


def _parsed(conf: str) -> dict[str, Any]:
    try:
        parsed = json.loads(conf)
    except ValueError as error:
        raise ClicktrailError(f"--conf is no JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise ClicktrailError('--conf must be a JSON object such as {"count": 100}')
    return parsed


def _judge(api: AirflowApi, dag_id: str, run_id: str, outcome: Outcome) -> None:
    if outcome.green:
        return
    reasons = [f"{task.task_id} failed: {reason(api, dag_id, run_id, task)}" for task in outcome.failed]
    raise ClicktrailError("\n".join(reasons) or f"the run {run_id} ended as {outcome.state}; see {api.base}")
