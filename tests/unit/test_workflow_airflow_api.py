"""The client of Airflow's API against a server of the test's own, on a socket of this machine."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings
from clicktrail.workflow.airflow_api import AirflowApi, AirflowAwayError, NotFoundError, TaskState
from clicktrail.workflow.follow import follow, reason

pytestmark = pytest.mark.enable_socket


class Answers(BaseHTTPRequestHandler):
    """Answers by (method, path); a list is used up, its last answer stays."""

    answers: ClassVar[dict[tuple[str, str], list[tuple[int, Any]]]] = {}
    seen: ClassVar[list[tuple[str, str, str | None, Any]]] = []

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        path = self.path.split("?")[0]
        self.seen.append((self.command, path, self.headers.get("Authorization"), body))
        waiting = self.answers[self.command, path]
        status, answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    do_POST = do_PATCH = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


TOKEN = ("GET", "/auth/token")
RUN = ("GET", "/api/v2/dags/d/dagRuns/r")
TASKS = ("GET", "/api/v2/dags/d/dagRuns/r/taskInstances")
HEALTH = ("GET", "/api/v2/monitor/health")


@pytest.fixture
def api() -> Iterator[AirflowApi]:
    Answers.answers = {TOKEN: [(201, {"access_token": "t1"}), (201, {"access_token": "t2"})]}
    Answers.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield AirflowApi(Settings(airflow_port=server.server_port))
    server.shutdown()
    server.server_close()


def task(task_id: str, state: str | None, try_number: int = 1) -> dict[str, Any]:
    return {"task_id": task_id, "state": state, "try_number": try_number, "duration": 1.5}


def test_a_token_that_ran_out_is_renewed(api: AirflowApi) -> None:
    Answers.answers[RUN] = [(200, {"state": "queued"}), (401, {"detail": "expired"}), (200, {"state": "running"})]
    assert [api.run_state("d", "r"), api.run_state("d", "r")] == ["queued", "running"]
    assert [auth for _, path, auth, _ in Answers.seen if path == RUN[1]] == ["Bearer t1", "Bearer t1", "Bearer t2"]


def test_trigger_sends_time_and_parameters(api: AirflowApi) -> None:
    Answers.answers["POST", "/api/v2/dags/d/dagRuns"] = [(200, {"dag_run_id": "manual__1"})]
    now = dt.datetime(2026, 11, 21, 9, tzinfo=dt.UTC)
    assert api.trigger("d", {"count": 5}, now) == "manual__1"
    assert Answers.seen[-1][3] == {"logical_date": "2026-11-21T09:00:00+00:00", "conf": {"count": 5}}


def test_what_airflow_says_against_it_is_passed_on(api: AirflowApi) -> None:
    Answers.answers["POST", "/api/v2/dags/d/dagRuns"] = [(400, {"detail": "Invalid input for param count"})]
    with pytest.raises(ClicktrailError, match="400: Invalid input for param count"):
        api.trigger("d", {"count": 0}, dt.datetime.now(dt.UTC))


def test_an_unknown_dag_is_told_apart(api: AirflowApi) -> None:
    Answers.answers["PATCH", "/api/v2/dags/nope"] = [(404, {"detail": "not found"})]
    with pytest.raises(NotFoundError):
        api.unpause("nope")


def test_nobody_there_names_the_cure() -> None:
    with pytest.raises(AirflowAwayError, match="clicktrail up"):
        AirflowApi(Settings(airflow_port=1)).dags()


def test_tasks_are_ordered_by_what_they_wait_for(api: AirflowApi) -> None:
    edges = {"c": [], "a": ["b"], "b": ["c", "d"], "d": []}
    tasks = [{"task_id": name, "downstream_task_ids": below} for name, below in edges.items()]
    Answers.answers["GET", "/api/v2/dags/d/tasks"] = [(200, {"tasks": tasks})]
    assert api.task_order("d") == ["a", "b", "c", "d"]


def test_a_run_is_followed_to_its_end(api: AirflowApi) -> None:
    Answers.answers |= {
        RUN: [(200, {"state": "running"}), (200, {"state": "failed"})],
        TASKS: [
            (200, {"task_instances": [task("one", "running"), task("two", None)]}),
            (200, {"task_instances": [task("one", "failed", 2), task("two", "upstream_failed")]}),
        ],
        HEALTH: [(200, {"scheduler": {"status": "healthy"}})],
    }
    looks: list[dict[str, TaskState]] = []
    outcome = follow(api, "d", "r", looks.append, pause=lambda _: None)
    assert [look["two"].state for look in looks] == ["waiting", "upstream_failed"]
    assert not outcome.green
    assert [(one.task_id, one.try_number) for one in outcome.failed] == [("one", 2)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([{"event": "x"}, {"event": "failed", "error_detail": [{"exc_type": "E", "exc_value": "why"}]}], "E: why"),
        (
            [{"event": "2026 ERROR clickstream_job: no Kafka"}, {"event": "Task failed"}],
            "2026 ERROR clickstream_job: no Kafka",
        ),
        (
            [
                {
                    "event": "failed",
                    "error_detail": [
                        {"exc_type": "E", "exc_value": "a sentence", "is_cause": False},
                        {"exc_type": "OSError", "exc_value": "111", "is_cause": True},
                    ],
                }
            ],
            "E: a sentence",
        ),
        ([{"event": "one"}, "two"], "one\ntwo"),
        ([], "(its log is empty)"),
    ],
)
def test_the_reason_of_a_failure(api: AirflowApi, lines: list[Any], expected: str) -> None:
    Answers.answers["GET", f"{TASKS[1]}/t/logs/2"] = [(200, {"content": lines})]
    assert reason(api, "d", "r", TaskState("t", "failed", 2, 1.0)) == expected
