"""What integration tests use beside the fixtures: free ports, and the job as a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from clicktrail import spark_submit, store, topics
from clicktrail.settings import Settings

T = TypeVar("T")


_OF_A_JOB = (
    "source_topic",
    "transformed_topic",
    "dead_letter_topic",
    "cassandra_keyspace",
    "consumer_group",
    "checkpoint_dir",
)


def apart(settings: Settings, name: str, **changes: Any) -> Settings:
    """The same servers with topics, keyspace, consumer group and checkpoint of their own, but for ``changes``."""
    named = {field: f"{getattr(settings, field)}_{name}" for field in _OF_A_JOB}
    own = settings.with_changes(**(named | changes))
    topics.ensure_topics(own)
    store.apply_schema(own)
    return own


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def stack_settings(home: Path) -> Settings:
    """Settings of a stack of its own: free ports, the state below ``home``."""
    zookeeper, kafka, cassandra, airflow, mail, sales_api = free_ports(6)
    return Settings(
        home=home,
        zookeeper_port=zookeeper,
        kafka_port=kafka,
        cassandra_port=cassandra,
        airflow_port=airflow,
        mail_port=mail,
        sales_api_port=sales_api,
        checkpoint_dir=str(home / "checkpoints" / "default"),
        spark_driver_memory="1g",
    )


def run_job(settings: Settings, *args: str, timeout: float = 900) -> str:
    """Run the job to its end (``--trigger available-now`` unless told otherwise); what it said.

    Raises:
        AssertionError: it did not end well; holds the end of what it said.
    """
    with start_job(settings, *args) as job:
        try:
            code = job.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the job did not end within {timeout} s:\n{job.said()[-4000:]}") from None
    assert code == 0, f"the job ended with {code}:\n{job.said()[-6000:]}"
    return job.said()


class Job:
    """A running job, and the file that it writes what it says to."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """kill -9 to the job and all of its children at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)

    def stop(self, timeout: float = 180) -> int:
        """SIGTERM to the job's processes; its exit code."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(timeout)


@contextlib.contextmanager
def start_job(settings: Settings, *args: str) -> Iterator[Job]:
    """The job as a child in a process group of its own; what still runs at the end is killed."""
    log = settings.home / "logs" / f"job-{settings.cassandra_keyspace}-{time.time_ns()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = spark_submit.command(settings, args or ("--trigger", "available-now"))
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=spark_submit.environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    job = Job(process, log)
    try:
        yield job
    finally:
        job.kill()


def wait_for(look: Callable[[], T], what: str, timeout: float = 300, pause: float = 0.5) -> T:
    """The first true value that ``look`` gives.

    Raises:
        AssertionError: none came in time.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = look()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout} s; last seen: {value!r}"
        time.sleep(pause)
