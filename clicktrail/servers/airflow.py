"""Airflow of the embedded stack: API server with the UI, scheduler with its tasks, DAG processor, SQLite."""

from __future__ import annotations

import base64
import datetime as dt
import os
import secrets
import shlex
import subprocess
import sys
import threading
from pathlib import Path

from clicktrail import versions
from clicktrail.errors import ClicktrailError
from clicktrail.sales.connections import airflow_connections
from clicktrail.servers.process import Files, find
from clicktrail.servers.service import Service, port_open
from clicktrail.settings import PROJECT, Settings
from clicktrail.spark_submit import environment as spark_environment
from clicktrail.workflow import connections
from clicktrail.workflow.airflow_api import AirflowApi

DAGS = PROJECT / "dags"
MAIN_DAG = "clickstream_etl_workflow"
API = "airflow-api"
SCHEDULER = "airflow-scheduler"
PROCESSOR = "airflow-dag-processor"
_PARALLEL_TASKS = 4
_MIGRATE_SECONDS = 600
_migrating = threading.Lock()


def airflow_services(settings: Settings) -> list[Service]:
    """The three processes of Airflow, started side by side; the database is migrated once, before the first."""
    return [
        Service(
            name=API,
            command=_airflow(
                "api-server", "--host", settings.host, "--port", str(settings.airflow_port), "--workers", "1"
            ),
            check=lambda: _api_reason(settings),
            env=environment(settings),
            ports={"airflow_port": settings.airflow_port},
            prepare=lambda: _prepare(settings),
            memory_mb=500,
        ),
        Service(
            name=PROCESSOR,
            command=_airflow("dag-processor"),
            check=lambda: _beats(settings, PROCESSOR, "dag_processor") or _dags_reason(settings),
            env=environment(settings),
            prepare=lambda: _prepare(settings),
            memory_mb=400,
            grace=10.0,
        ),
        Service(
            name=SCHEDULER,
            command=_airflow("scheduler", "--skip-serve-logs"),
            check=lambda: _beats(settings, SCHEDULER, "scheduler"),
            env=environment(settings),
            after=("kafka", "cassandra"),  # or the first tasks would find nobody
            prepare=lambda: _prepare(settings),
            memory_mb=500,
            grace=10.0,  # it would wait for running tasks, and an always-on one never ends
        ),
    ]


def environment(settings: Settings) -> dict[str, str]:
    """The environment of Airflow's processes and of their tasks."""
    home = settings.home / "airflow"
    job = settings.with_changes(checkpoint_dir=settings.checkpoint_dir or str(settings.home / "data" / "checkpoint"))
    spark = spark_environment(job, {})
    spark["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), _java_bin(spark), os.environ.get("PATH", os.defpath)]
    )
    address = f"http://{settings.host}:{settings.airflow_port}"
    options = {
        "CORE__DAGS_FOLDER": DAGS,
        "CORE__LOAD_EXAMPLES": False,
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": _PARALLEL_TASKS,
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": True,
        "CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "CORE__FERNET_KEY_CMD": _read(home / "fernet.key"),
        "API__HOST": settings.host,
        "API__PORT": settings.airflow_port,
        "API__BASE_URL": address,
        "API__WORKERS": 1,
        "API__SECRET_KEY_CMD": _read(home / "session.key"),
        "API_AUTH__JWT_SECRET_CMD": _read(home / "jwt.key"),
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "LOGGING__BASE_LOG_FOLDER": home / "logs",
        "SCHEDULER__USE_JOB_SCHEDULE": bool(settings.airflow_schedules),
        "SCHEDULER__CATCHUP_BY_DEFAULT": False,
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 300,
        "DAG_PROCESSOR__REFRESH_INTERVAL": 15,
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 120,  # a changed file is read again at once
        "DAG_PROCESSOR__PARSING_PROCESSES": 1,
        "USAGE_DATA_COLLECTION__ENABLED": False,
    }
    local = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1", "localhost"]))
    return {
        **spark,
        **connections.environment(settings),
        **airflow_connections(settings),
        "AIRFLOW_HOME": str(home),
        **{f"AIRFLOW__{name}": str(value) for name, value in options.items()},
        "NO_PROXY": local,
        "no_proxy": local,
        "SPT_NOENV": "1",  # a process that sets its title keeps its environment, by which the stack knows it
    }


def _airflow(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "airflow", *arguments)


def _java_bin(env: dict[str, str]) -> str:
    return str(Path(env["JAVA_HOME"]) / "bin")


def _read(secret: Path) -> str:
    return f"cat {shlex.quote(str(secret))}"


def _make_secrets(home: Path) -> None:
    """The keys of this installation: made once, readable by their owner alone."""
    home.mkdir(parents=True, exist_ok=True)
    for name in ("fernet", "jwt", "session"):
        file = home / f"{name}.key"
        if not file.exists():
            with os.fdopen(
                os.open(file.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
            ) as new:
                new.write(base64.urlsafe_b64encode(secrets.token_bytes(32)))
            file.with_suffix(".new").replace(file)


def _prepare(settings: Settings) -> None:
    """Make the keys, and migrate the database where this version of Airflow has not; others wait for the first.

    Raises:
        ClicktrailError: the migration failed.
    """
    home = settings.home / "airflow"
    marker = home / "migrated"
    with _migrating:
        _make_secrets(home)
        if marker.exists() and marker.read_text() == versions.AIRFLOW and (home / "airflow.db").exists():
            return
        log = Files(settings.home).log("airflow-migrate")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            done = subprocess.run(
                _airflow("db", "migrate"),
                env={**os.environ, **environment(settings)},
                cwd=settings.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_MIGRATE_SECONDS,
                check=False,
            )
        if done.returncode:
            raise ClicktrailError(f"Airflow's database cannot be migrated; see {log}")
        marker.write_text(versions.AIRFLOW)


def _api_reason(settings: Settings) -> str | None:
    if not port_open(settings.host, settings.airflow_port):
        return f"no answer on port {settings.airflow_port}"
    try:
        state = AirflowApi(_embedded(settings)).health().get("metadatabase")
    except (ClicktrailError, ValueError) as error:
        return str(error)
    return None if state == "healthy" else f"its database is {state}"


def _beats(settings: Settings, service: str, part: str) -> str | None:
    """Why the part counts as dead: no sign of life since its process was started (an older one is not its own)."""
    if not port_open(settings.host, settings.airflow_port):
        return f"no answer of {API} on port {settings.airflow_port}"
    try:
        status, beat = AirflowApi(_embedded(settings)).heartbeat(part)
    except (ClicktrailError, ValueError) as error:
        return str(error)
    process = find(service, Files(settings.home))
    if status != "healthy" or beat is None:
        return f"no sign of life of {service} ({status})"
    if process is not None and beat < dt.datetime.fromtimestamp(process.create_time(), dt.UTC):
        return f"no sign of life of {service} since its start"
    return None


def _dags_reason(settings: Settings) -> str | None:
    try:
        known = AirflowApi(_embedded(settings)).dags()
    except ClicktrailError as error:
        return str(error)
    return None if MAIN_DAG in known else f"the DAG {MAIN_DAG} was not read yet"


def _embedded(settings: Settings) -> Settings:
    return settings.with_changes(airflow_url="", airflow_username="", airflow_password="")
