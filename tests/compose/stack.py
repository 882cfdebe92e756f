"""Talks to the containers as a person would: `docker compose`, HTTP, `cqlsh` inside the container."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import requests

from clicktrail.job.session import spark_conf
from clicktrail.settings import PREFIX, PROJECT

NAME = "clicktrail-test"
PORTS = ("AIRFLOW_PORT", "CASSANDRA_PORT", "CONTROL_CENTER_PORT", "KAFKA_PORT", "SPARK_UI_PORT")
PATIENCE = 1500  # seconds; machines are slow and shared
DAG = "clickstream_etl_workflow"
PYTHON_WORKERS = spark_conf()["spark.python.daemon.module"]
"""What an executor's Python processes run, as ``ps`` shows it."""


def free_ports(number: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody has now."""
    sockets = [socket.socket() for _ in range(number)]
    for held in sockets:
        held.bind(("127.0.0.1", 0))
    found = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return found


def wait_for(what: str, look: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Look every two seconds until something true is seen, and return it."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(2)
    raise AssertionError(f"not seen within {patience} s: {what}")


class ComposeStack:
    """The project's docker-compose.yaml under a name and on ports of its own."""

    def __init__(self) -> None:
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        clean = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "AIRFLOW_"))}
        self.environment = {
            **clean,
            **{name: str(port) for name, port in self.ports.items()},
            "CLICKTRAIL_MAX_OFFSETS_PER_BATCH": "10000",  # so that a run has several batches
            "CAT_API_OFFLINE": "1",  # the bundled photos: the tests need no network
        }

    def compose(self, *arguments: str, check: bool = True, timeout: float = 3600) -> str:
        """Run `docker compose …`; returns what it says on standard output."""
        done = subprocess.run(
            ["docker", "compose", "--project-name", NAME, *arguments],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"docker compose {' '.join(arguments)}: {done.returncode}\n{done.stderr[-4000:]}")
        return done.stdout

    def docker(self, *arguments: str) -> str:
        """Run `docker …`."""
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout

    def up(self, *arguments: str) -> None:
        """Bring everything up and wait until it is healthy."""
        self.compose("up", "--detach", "--wait", *arguments)

    def remove(self) -> None:
        """Remove containers and data."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "20", check=False)

    def tell_what_is_wrong(self) -> None:
        """Show the states, and the ends of the logs of those that are not well."""
        sys.stderr.write(self.compose("ps", "--all", check=False))
        sys.stderr.write(self.compose("logs", "--tail", "40", check=False)[-20_000:])

    def run_in(self, service: str, *command: str, index: int = 1) -> str:
        """Run a command inside a service's container."""
        return self.compose("exec", "-T", "--index", str(index), service, *command)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """What `docker inspect` says of a service's containers, in the order of their numbers."""
        ids = self.compose("ps", "--all", "--quiet", service).split()
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", *ids)) if ids else []
        return sorted(found, key=lambda one: int(one["Config"]["Labels"]["com.docker.compose.container-number"]))

    # --- Airflow

    def url(self, path: str) -> str:
        """An address of Airflow."""
        return f"http://127.0.0.1:{self.ports['AIRFLOW_PORT']}{path}"

    @cached_property
    def passwords(self) -> dict[str, str]:
        """User to password, as `docker compose logs secrets` shows them."""
        return dict(re.findall(r"user (\w+) +password (\S+)", self.compose("logs", "--no-log-prefix", "secrets")))

    def login(self, user: str) -> requests.Session:
        """A session with Airflow's REST API."""
        answer = requests.post(
            self.url("/auth/token"), json={"username": user, "password": self.passwords[user]}, timeout=60
        )
        assert answer.status_code == 201, answer.text
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return session

    def status(self, session: requests.Session, method: str, path: str, body: Any = None) -> int:
        """The HTTP status of a call of the REST API."""
        return session.request(method, self.url(f"/api/v2{path}"), json=body, timeout=120).status_code

    def dags(self, session: requests.Session) -> set[str]:
        """The DAGs that Airflow knows."""
        answer = session.get(self.url("/api/v2/dags?limit=100"), timeout=120)
        answer.raise_for_status()
        return {dag["dag_id"] for dag in answer.json()["dags"]}

    def set_paused(self, session: requests.Session, dag: str, paused: bool) -> None:
        """Let the scheduler start runs of a DAG, or not."""
        assert self.status(session, "PATCH", f"/dags/{dag}?update_mask=is_paused", {"is_paused": paused}) == 200

    def trigger(self, session: requests.Session, dag: str = DAG, **params: Any) -> str:
        """Trigger a DAG; returns the run's id."""
        answer = session.post(
            self.url(f"/api/v2/dags/{dag}/dagRuns"), json={"logical_date": None, "conf": params}, timeout=120
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["dag_run_id"])

    def states(self, session: requests.Session, run_id: str, dag: str = DAG) -> dict[str, str]:
        """Task to state of a run, and the run's own under its id."""
        run = session.get(self.url(f"/api/v2/dags/{dag}/dagRuns/{run_id}"), timeout=120).json()
        tasks = session.get(self.url(f"/api/v2/dags/{dag}/dagRuns/{run_id}/taskInstances"), timeout=120).json()
        found = {task["task_id"]: task["state"] for task in tasks["task_instances"]}
        return {**found, run_id: run["state"]}

    def finish(self, session: requests.Session, run_id: str, dag: str = DAG) -> dict[str, str]:
        """Wait for a run's end; the states of its tasks."""

        def ended() -> dict[str, str]:
            states = self.states(session, run_id, dag)
            return states if states[run_id] in {"success", "failed"} else {}

        states: dict[str, str] = wait_for(f"the end of {run_id}", ended)
        return states

    def result(self, session: requests.Session, dag: str, run_id: str, task: str) -> Any:
        """What a task returned (XCom)."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run_id}/taskInstances/{task}/xcomEntries/return_value"
        answer = session.get(self.url(path), params={"deserialize": "true"}, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]

    # --- Postgres

    def sql(self, role: str, database: str, query: str) -> tuple[int, str]:
        """A query as a role that logs in over the network of the containers; exit code, and what `psql` said.

        The password is the one that the role's containers have.
        """
        holder, file = {
            "shop": ("sales-shop", "/run/clicktrail/shop/database_password"),
            "sales_reader": ("airflow-scheduler", "/run/clicktrail/sales/database_password"),
        }[role]
        password = self.run_in(holder, "cat", file).strip()
        psql = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", query]
        address = f"host=postgres user={role} dbname={database}"
        inside = ["docker", "compose", "--project-name", NAME, "exec", "-T", "--env", f"PGPASSWORD={password}"]
        done = subprocess.run(
            [*inside, "postgres", *psql, address],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, (done.stdout + done.stderr).strip()

    # --- Cassandra, Kafka, Spark

    def count(self, table: str) -> int:
        """Rows of a table, counted by the `cqlsh` inside Cassandra's container.

        Asked again where the server cut the scan off, since its own time for it was over, as it may be right after a
        start or a run; it says so in one of two ways.
        """
        query = ("--request-timeout=300", "-e", f"SELECT count(*) FROM clickstream.{table}")

        def counted() -> str:
            try:
                return self.run_in("cassandra", "cqlsh", *query)
            except AssertionError as error:
                if "ReadTimeout" in str(error) or "ReadFailure" in str(error):
                    return ""
                raise

        said = wait_for(f"the rows of {table}", counted, patience=180)
        return int(re.findall(r"^\s*(\d+)\s*$", said, re.MULTILINE)[0])

    def lags(self, group: str) -> dict[int, int]:
        """Partition to lag of a consumer group, as Kafka's own tool shows it."""
        said = self.run_in(
            "kafka", "kafka-consumer-groups", "--bootstrap-server", "kafka:29092", "--describe", "--group", group
        )
        rows = re.findall(rf"(?m)^{group}\s+\S+\s+(\d+)\s+\d+\s+\d+\s+(\d+)", said)
        return {int(partition): int(lag) for partition, lag in rows}

    def workers_at_work(self) -> set[int]:
        """The numbers of the workers whose executor has begun a task of the job by now.

        An executor starts its Python for the first of the job's tasks that it gets, and keeps it until the job ends.
        """
        return {
            int(one["Config"]["Labels"]["com.docker.compose.container-number"])
            for one in self.containers("spark-worker")
            if one["State"]["Running"] and PYTHON_WORKERS in self.docker("top", one["Id"], "-eo", "pid,args")
        }
