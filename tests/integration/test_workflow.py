"""The two clickstream DAGs, run by Airflow's own scheduler on the real servers. The tests build on each other."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
from cassandra.cluster import Session
from typer.testing import CliRunner

from clicktrail import store
from clicktrail.cli import app
from clicktrail.job.decode import decode
from clicktrail.servers import Stack
from clicktrail.settings import Settings
from clicktrail.simulate import Order
from clicktrail.workflow.airflow_api import DONE, AirflowApi
from clicktrail.workflow.broker import Broker, Record
from clicktrail.workflow.follow import Outcome, reason
from clicktrail.workflow.window import Window
from producers.click_producer import produce_clicks
from tests.integration.support import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(2400)]

ETL = "clickstream_etl_workflow"
STREAMING = "clickstream_streaming"
COUNT, INVALID, DUPLICATES = 600, 0.1, 0.1
PATIENCE = 900.0


@dataclass
class Workflow:
    """Airflow and the servers behind it."""

    settings: Settings
    api: AirflowApi

    def trigger(self, dag_id: str = ETL, **conf: Any) -> str:
        self.api.unpause(dag_id)
        return self.api.trigger(dag_id, conf, dt.datetime.now(dt.UTC))

    def end(self, run_id: str, dag_id: str = ETL) -> Outcome:
        """How the run ended, with the state of each task."""
        state = wait_for(lambda: self._ended(dag_id, run_id), f"the end of {run_id}", PATIENCE, 1.0)
        return Outcome(state, self.api.tasks(dag_id, run_id))

    def _ended(self, dag_id: str, run_id: str) -> str | None:
        state = self.api.run_state(dag_id, run_id)
        return state if state in DONE else None

    def again(self, run_id: str, task_id: str) -> Outcome:
        """Clear a task with all behind it, and wait for the end."""
        self.api.clear(ETL, run_id, [task_id])
        return self.end(run_id)

    def window(self, run_id: str) -> Window:
        return Window.from_json(self.api.result(ETL, run_id, "extract_from_kafka"))

    def why(self, run_id: str, outcome: Outcome) -> dict[str, str]:
        """The reason of each task that failed."""
        return {task.task_id: reason(self.api, ETL, run_id, task) for task in outcome.failed}

    def send(self, count: int, run: str) -> None:
        """Clicks that come from elsewhere."""
        produce_clicks(self.settings, Order(seed=7, run=run, count=count))


@pytest.fixture(scope="module")
def workflow(airflow_stack: Settings) -> Workflow:
    return Workflow(airflow_stack, AirflowApi(airflow_stack))


@pytest.fixture(scope="module")
def first_run(workflow: Workflow) -> str:
    """The id of a run with bad and repeated clicks, followed by ``clicktrail run`` to a green end."""
    before = set(runs(workflow))
    conf = json.dumps({"invalid": INVALID, "duplicates": DUPLICATES})
    done = CliRunner().invoke(
        app, ["run", "--count", str(COUNT), "--seed", "3", "--conf", conf], env=workflow.settings.to_env()
    )
    (run_id,) = set(runs(workflow)) - before
    assert done.exit_code == 0, f"{done.output}\n{done.exception}\n{workflow.why(run_id, workflow.end(run_id))}"
    assert "load_to_destination" in done.output
    assert f"{COUNT:,}" in done.output
    return run_id


@pytest.fixture
def session(airflow_stack: Settings) -> Iterator[Session]:
    with store.connect(airflow_stack) as session:
        yield session


def runs(workflow: Workflow) -> list[str]:
    return [run["dag_run_id"] for run in workflow.api._call("GET", f"dags/{ETL}/dagRuns")["dag_runs"]]


def raw(settings: Settings, window: Window) -> list[Record]:
    with Broker(settings) as broker:
        return list(broker.read(window.topic, window.spans))


def keys(records: list[Record], topic: str) -> Counter[tuple[str, int, int, str]]:
    """How often each event is among the records, by its primary key."""
    decoded = (decode(r.value, r.key, r.received_at, topic, r.partition, r.offset).fields for r in records)
    return Counter((f["user_id"], f["day"], f["event_time"], f["event_id"]) for f in decoded if f)


def stored(session: Session, wanted: set[tuple[str, int, int, str]]) -> Counter[tuple[str, int, int, str]]:
    """Those of the wanted events that are in the event store, read by visitor and day."""
    found: Counter[tuple[str, int, int, str]] = Counter()
    epoch = dt.datetime(1970, 1, 1)
    select = session.prepare("SELECT event_time, event_id FROM events_by_user_day WHERE user_id = ? AND day = ?")
    for user_id, day in {key[:2] for key in wanted}:
        for row in session.execute(select, (user_id, dt.date(1970, 1, 1) + dt.timedelta(days=day))):
            found[user_id, day, (row.event_time - epoch) // dt.timedelta(milliseconds=1), row.event_id] += 1
    return found


def test_a_green_run_means_delivered(workflow: Workflow, first_run: str, session: Session) -> None:
    settings, window = workflow.settings, workflow.window(first_run)
    sent = workflow.api.result(ETL, first_run, "simulate_clicks")
    records = raw(settings, window)
    assert len(records) == window.size == sent["count"] == COUNT
    events = keys(records, settings.source_topic)
    assert events.total() == COUNT - sent["invalid"]
    assert events.total() - len(events) == sent["duplicates"] == COUNT * DUPLICATES
    assert stored(session, set(events)) == Counter(set(events))

    places = {(r.partition, r.offset) for r in records}
    letters = [row for row in session.execute("SELECT * FROM dead_letters") if (row.partition, row.offset) in places]
    assert Counter(row.reason for row in letters) == Counter(sent["reasons"])
    report = workflow.api.result(ETL, first_run, "load_to_destination")
    assert (report["good"], report["rows"]) == (events.total(), len(events))
    assert report["rejected"] == sent["reasons"]
    values = {(r.partition, r.offset): r.value for r in records}
    assert all(row.original == values[row.partition, row.offset] for row in letters)


def test_the_output_topics_hold_the_same(workflow: Workflow, first_run: str) -> None:
    settings, window = workflow.settings, workflow.window(first_run)
    records = raw(settings, window)
    values = {(r.partition, r.offset): (r.key, r.value) for r in records}
    with Broker(settings) as broker:
        since = min(record.received_at for record in records)
        transformed = list(broker.read_since(settings.transformed_topic, since))
        letters = list(broker.read_since(settings.dead_letter_topic, since))
    mine = [json.loads(r.value or b"") for r in transformed if place(r) in values]
    events = keys(records, settings.source_topic)
    assert {(one["user_id"], one["event_id"]) for one in mine} == {(key[0], key[3]) for key in events}
    rejected = {place(r): (r.key, r.value) for r in letters if place(r) in values}
    assert len(rejected) == COUNT - events.total()
    assert all(values[at] == found for at, found in rejected.items())


def place(record: Record) -> tuple[int, int]:
    return int(record.headers["source_partition"]), int(record.headers["source_offset"])


def test_lost_rows_are_red_and_named_and_a_cleared_task_answers_for_the_same_window(
    workflow: Workflow, first_run: str, session: Session
) -> None:
    window = workflow.window(first_run)
    lost = sorted(keys(raw(workflow.settings, window), workflow.settings.source_topic))[:3]
    for user_id, day, event_time, event_id in lost:
        session.execute(
            "DELETE FROM events_by_user_day WHERE user_id = %s AND day = %s AND event_time = %s AND event_id = %s",
            (user_id, dt.date(1970, 1, 1) + dt.timedelta(days=day), event_time, event_id),
        )
    workflow.send(40, "from elsewhere")
    outcome = workflow.again(first_run, "extract_from_kafka")
    assert workflow.window(first_run) == window
    assert {name: task.state for name, task in outcome.tasks.items()} == {
        "start_task": "success",
        "simulate_clicks": "success",
        "extract_from_kafka": "success",
        "transform_data": "success",
        "load_to_kafka": "success",
        "load_to_destination": "failed",
    }
    why = workflow.why(first_run, outcome)["load_to_destination"]
    gone = sum(keys(raw(workflow.settings, window), workflow.settings.source_topic)[key] for key in lost)
    assert f"{gone} of {COUNT} records of this run are missing in Cassandra" in why
    assert all(repr(event_id) in why for _, _, _, event_id in lost)


def test_a_run_beside_the_always_on_job_is_green_and_doubles_nothing(
    workflow: Workflow, first_run: str, session: Session
) -> None:
    before = stored(session, set(keys(raw(workflow.settings, workflow.window(first_run)), "t")))
    streaming = workflow.trigger(STREAMING)
    wait_for(lambda: holder(session), "the always-on job's lease", PATIENCE)
    held = holder(session)
    run_id = workflow.trigger(count=200, seed=4)
    outcome = workflow.end(run_id)
    assert outcome.green, workflow.why(run_id, outcome)
    assert holder(session) == held, "a second driver has taken the lease"

    window, first = workflow.window(run_id), workflow.window(first_run)
    assert window.size == 240, "the window reaches from the first run's end over what came from elsewhere"
    assert {span.partition: span.first for span in window.spans} == {
        span.partition: first.ends().get(span.partition, 0) for span in window.spans
    }
    events = keys(raw(workflow.settings, window), workflow.settings.source_topic)
    assert stored(session, set(events)) >= Counter(set(events))
    assert events.total() == len(events) == 240
    after = stored(session, set(keys(raw(workflow.settings, first), "t")))
    assert {key: after[key] for key in before} == dict(before)

    assert workflow.api.run_state(STREAMING, streaming) == "running"
    assert spark_processes(workflow.settings)
    workflow.api.set_task_state(STREAMING, streaming, "stream", "failed")
    wait_for(lambda: not spark_processes(workflow.settings), "the end of Spark", PATIENCE)
    assert workflow.end(streaming, STREAMING).state == "failed"


def holder(session: Session) -> tuple[Any, int] | None:
    row = session.execute("SELECT holder, epoch FROM job_lease WHERE query = 'clickstream'").one()
    return (row.holder, row.epoch) if row is not None and row.holder is not None else None


def spark_processes(settings: Settings) -> list[psutil.Process]:
    """The always-on job's processes of this stack."""
    found = []
    for process in psutil.process_iter():
        try:
            always_on = {"--trigger", "1s"} <= set(process.cmdline())
            if always_on and process.environ().get("CLICKTRAIL_HOME") == str(settings.home):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_red_without_a_server_and_green_again_after_its_return(workflow: Workflow, first_run: str) -> None:
    assert first_run
    workflow.send(30, "while a server is away")
    servers = Stack(workflow.settings)
    servers.down(["cassandra"])
    try:
        run_id = workflow.trigger(simulate=False)
        outcome = workflow.end(run_id)
    finally:
        servers.up(["cassandra"])
    assert outcome.state == "failed"
    assert outcome.tasks["simulate_clicks"].state == "skipped"
    assert "No Cassandra answers at" in workflow.why(run_id, outcome)["extract_from_kafka"]

    servers.down(["kafka"])
    try:
        outcome = workflow.again(run_id, "extract_from_kafka")
    finally:
        servers.up(["kafka"])
    assert outcome.state == "failed"
    assert "the Kafka broker at" in workflow.why(run_id, outcome)["extract_from_kafka"]
    assert {outcome.tasks[name].state for name in ("transform_data", "load_to_kafka", "load_to_destination")} == {
        "upstream_failed"
    }

    outcome = workflow.again(run_id, "extract_from_kafka")
    assert outcome.green, workflow.why(run_id, outcome)
    assert workflow.window(run_id).size == 30
    assert workflow.api.result(ETL, run_id, "load_to_destination")["good"] == 30


def test_nothing_new_is_skipped(workflow: Workflow, first_run: str) -> None:
    assert first_run
    run_id = workflow.trigger(simulate=False)
    outcome = workflow.end(run_id)
    assert outcome.green
    states = {name: task.state for name, task in outcome.tasks.items()}
    assert states.pop("start_task") == "success"
    assert set(states.values()) == {"skipped"}


def test_what_does_not_fit_the_schema_starts_no_run(workflow: Workflow) -> None:
    before = runs(workflow)
    done = CliRunner().invoke(app, ["run", "--count", "0"], env=workflow.settings.to_env())
    assert done.exit_code != 0
    assert "count" in str(done.exception)
    assert runs(workflow) == before


def test_an_unknown_dag_names_the_others(workflow: Workflow) -> None:
    done = CliRunner().invoke(app, ["run", "no_such_dag"], env=workflow.settings.to_env())
    assert done.exit_code != 0
    assert ETL in str(done.exception)
