"""A small client of Airflow's REST API: start a run, watch it, read what its tasks said."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings

_TIMEOUT = 60.0
DONE = frozenset({"success", "failed"})
"""States in which a run has ended."""


@dataclass(frozen=True)
class TaskState:
    """One task of a run."""

    task_id: str
    state: str
    try_number: int
    seconds: float | None


class AirflowApi:
    """Airflow at ``base``; the token is asked for with the first call, and again when it has run out."""

    def __init__(self, settings: Settings) -> None:
        self._base = (settings.airflow_url or f"http://{settings.host}:{settings.airflow_port}").rstrip("/")
        file = settings.airflow_password_file
        password = Path(file).read_text(encoding="utf-8").strip() if file else settings.airflow_password
        self._credentials = (settings.airflow_username, password)
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy of the environment knows nothing of this machine

    @property
    def base(self) -> str:
        """Address of Airflow, to open in a browser."""
        return self._base

    def get(self, path: str, **params: Any) -> Any:
        """What Airflow answers to a GET of ``path``, below ``/api/v2``."""
        return self._call("GET", path, params=params)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """What Airflow answers to a POST of ``body`` to ``path``, below ``/api/v2``."""
        return self._call("POST", path, json=body)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler start runs of this DAG."""
        self._call("PATCH", f"dags/{dag_id}", params={"update_mask": "is_paused"}, json={"is_paused": False})

    def dags(self) -> dict[str, bool]:
        """The ids of the DAGs, each with whether it is paused."""
        return {dag["dag_id"]: dag["is_paused"] for dag in self._call("GET", "dags", params={"limit": 100})["dags"]}

    def import_errors(self) -> list[str]:
        """What kept DAG files from being read."""
        return [f"{e['filename']}: {e['stack_trace']}" for e in self._call("GET", "importErrors")["import_errors"]]

    def trigger(self, dag_id: str, conf: dict[str, Any], now: dt.datetime) -> str:
        """Start a run and give its id.

        Raises:
            ClicktrailError: there is no such DAG, or a parameter is not what its schema says.
        """
        body = {"logical_date": now.isoformat(), "conf": conf}
        return str(self._call("POST", f"dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """``queued``, ``running``, ``success`` or ``failed``."""
        return str(self._call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def active_runs(self, dag_id: str) -> list[str]:
        """The ids of the runs that are running."""
        runs = self._call("GET", f"dags/{dag_id}/dagRuns", params={"state": "running"})["dag_runs"]
        return [run["dag_run_id"] for run in runs]

    def task_order(self, dag_id: str) -> list[str]:
        """The ids of the DAG's tasks, each behind those it waits for."""
        tasks = self._call("GET", f"dags/{dag_id}/tasks")["tasks"]
        waits = {task["task_id"]: set[str]() for task in tasks}
        for task in tasks:
            for below in task["downstream_task_ids"]:
                waits[below].add(task["task_id"])
        ordered: list[str] = []
        while waits:
            ready = sorted(task_id for task_id, above in waits.items() if above <= set(ordered))
            ordered += ready
            waits = {task_id: above for task_id, above in waits.items() if task_id not in ready}
        return ordered

    def tasks(self, dag_id: str, run_id: str) -> dict[str, TaskState]:
        """The tasks of a run by id."""
        found = self._call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 100})
        return {
            task["task_id"]: TaskState(
                task["task_id"], task["state"] or "waiting", task["try_number"], task["duration"]
            )
            for task in found["task_instances"]
        }

    def result(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """What the task returned (XCom); None where it returned nothing."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        try:
            return self._call("GET", path, params={"deserialize": "true"})["value"]
        except NotFoundError:
            return None

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int) -> list[dict[str, Any]]:
        """The lines of one try's log, structured: each has at least ``event``."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        content = self._call("GET", path, params={"full_content": "true"}).get("content", [])
        return [line if isinstance(line, dict) else {"event": str(line)} for line in content]

    def clear(self, dag_id: str, run_id: str, task_ids: list[str], *, downstream: bool = True) -> None:
        """Let the tasks run again, with all behind them."""
        body = {
            "dag_run_id": run_id,
            "task_ids": task_ids,
            "dry_run": False,
            "only_failed": False,
            "reset_dag_runs": True,
            "include_downstream": downstream,
        }
        self._call("POST", f"dags/{dag_id}/clearTaskInstances", json=body)

    def set_task_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Declare a task ``success`` or ``failed``; a running one is stopped."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        self._call("PATCH", path, json={"new_state": state})

    def health(self) -> dict[str, str | None]:
        """The state of each of Airflow's parts, such as ``metadatabase`` and ``scheduler``."""
        return {name: part.get("status") for name, part in self._health().items()}

    def heartbeat(self, part: str) -> tuple[str | None, dt.datetime | None]:
        """State and last sign of life of ``scheduler``, ``dag_processor`` or ``triggerer``."""
        found = self._health().get(part, {})
        beat = found.get(f"latest_{part}_heartbeat")
        return found.get("status"), dt.datetime.fromisoformat(beat) if beat else None

    def _health(self) -> dict[str, dict[str, Any]]:
        answer = self._send("GET", f"{self._base}/api/v2/monitor/health", {})
        parts: dict[str, dict[str, Any]] = self._checked(answer).json()
        return parts

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        for _ in range(2):
            headers = {"Authorization": f"Bearer {self._token()}"}
            response = self._send(method, f"{self._base}/api/v2/{path}", {"headers": headers, **arguments})
            if response.status_code != requests.codes.unauthorized:
                break
            self._forget_token()
        return self._checked(response).json() if response.content else {}

    _known_token: str | None = None

    def _token(self) -> str:
        if self._known_token is None:
            username, password = self._credentials
            address = f"{self._base}/auth/token"
            if username:
                body = {"username": username, "password": password}
                response = self._send("POST", address, {"json": body})
            else:
                response = self._send("GET", address, {})
            self._known_token = str(self._checked(response).json()["access_token"])
        return self._known_token

    def _forget_token(self) -> None:
        self._known_token = None

    def _send(self, method: str, address: str, arguments: dict[str, Any]) -> requests.Response:
        try:
            return self._http.request(method, address, timeout=_TIMEOUT, **arguments)
        except requests.RequestException as error:
            raise AirflowAwayError(
                f"Airflow does not answer at {self._base}. Start it with: clicktrail up; or see: clicktrail status"
            ) from error

    def _checked(self, response: requests.Response) -> requests.Response:
        if response.ok:
            return response
        said = _said(response)
        if response.status_code == requests.codes.not_found:
            raise NotFoundError(f"Airflow at {self._base} has not got that: {said}")
        if response.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
            raise ClicktrailError(
                f"Airflow at {self._base} refuses: {said}. "
                "Set CLICKTRAIL_AIRFLOW_USERNAME and CLICKTRAIL_AIRFLOW_PASSWORD"
            )
        kind = BusyError if response.status_code in (409, 503) else ClicktrailError
        raise kind(f"Airflow at {self._base} answers {response.status_code}: {said}")


class AirflowAwayError(ClicktrailError):
    """Airflow's API server cannot be reached."""


class BusyError(ClicktrailError):
    """Airflow cannot do that now, because something else is at work."""


class NotFoundError(ClicktrailError):
    """Airflow knows no such DAG, run, task or value."""


def _said(response: requests.Response) -> str:
    try:
        detail = response.json().get("detail", response.text)
    except ValueError:
        detail = response.text
    return str(detail)[:1000]
