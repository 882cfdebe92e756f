"""One run of one contender: a keyspace, topics and a folder of its own, watched from its start to its exit."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import verify, watch, workload
from benchmarks.work import CONSISTENCY, Contender, Work
from clicktrail import store, topics
from clicktrail.errors import ClicktrailError
from clicktrail.settings import PROJECT, Settings

log = logging.getLogger(__name__)

LOGS = PROJECT / "build" / "benchmarks" / "logs"
"""What contenders said stays here until the next benchmark."""
SAID = "said.log"
_LOOK = 0.5  # seconds between two looks at the processes
_GRACE = 60.0
_SAID = 1_500  # characters of a contender's log that a failure quotes


class ContenderFailedError(ClicktrailError):
    """A run that does not count; the sentence says why."""


@dataclass(frozen=True)
class Place:
    """Where runs take place: a stack that is up, a folder for what runs leave behind."""

    settings: Settings
    servers: Mapping[str, int]
    """The servers' process ids by name."""
    folder: Path

    def work(self, run: str, source: str, partitions: int, *, workers: int = 2, follow: bool = False) -> Work:
        """What a contender gets for a run of this name."""
        names = workload.settings_of(self.settings, source, partitions, run)
        return Work(
            bootstrap=self.settings.bootstrap_servers,
            contact_point=self.settings.cassandra_contact_points[0],
            cassandra_port=self.settings.cassandra_port,
            keyspace=run,
            source_topic=source,
            transformed_topic=names.transformed_topic,
            dead_letter_topic=names.dead_letter_topic,
            group=run,
            scratch=str(self.folder / run),
            follow=follow,
            workers=workers,
            partitions=partitions,
        )

    def settings_for(self, work: Work) -> Settings:
        """The pipeline's settings that name what this run reads and writes."""
        return self.settings.with_changes(
            source_topic=work.source_topic,
            transformed_topic=work.transformed_topic,
            dead_letter_topic=work.dead_letter_topic,
            topic_partitions=work.partitions,
            cassandra_keyspace=work.keyspace,
            cassandra_consistency=CONSISTENCY,
        )

    @contextlib.contextmanager
    def ready(self, work: Work) -> Iterator[Settings]:
        """Keyspace, topics and folder of a run, taken away at the end."""
        settings = self.settings_for(work)
        Path(work.scratch).mkdir(parents=True)
        topics.ensure_topics(settings)
        store.apply_schema(settings)
        try:
            yield settings
        finally:
            self._clear(settings, work)

    def _clear(self, settings: Settings, work: Work) -> None:
        with store.connect(settings, keyspace=False, timeout=120) as session:
            session.execute(f"DROP KEYSPACE IF EXISTS {work.keyspace}")
        delete_topics(self.settings, [work.transformed_topic, work.dead_letter_topic])
        LOGS.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(Path(work.scratch) / SAID, LOGS / f"{work.keyspace}.log")
        shutil.rmtree(work.scratch, ignore_errors=True)


def delete_topics(settings: Settings, names: Sequence[str]) -> None:
    """Delete topics that exist."""
    client = topics.admin(settings)  # held until the answers are there: they die with it
    answers = client.delete_topics(list(names), operation_timeout=60)
    for answer in answers.values():
        answer.result(60)


class Running:
    """A contender's process, with its children."""

    def __init__(self, contender: Contender, work: Work) -> None:
        self.name, self.log = contender.name, Path(work.scratch) / SAID
        env = contender.env(work)
        self.began = time.perf_counter()
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                contender.command(work),
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.watch = watch.Watch(self.process.pid)

    def wait(self, timeout: float) -> float:
        """Wait for its end; seconds since its start.

        Raises:
            ContenderFailedError: it failed, or is not done in time.
        """
        while self.process.poll() is None:
            self.watch.look()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_LOOK)
            if time.perf_counter() - self.began > timeout:
                raise ContenderFailedError(f"{self.name} is not done within {timeout:.0f} s; {self.said()}")
        seconds = time.perf_counter() - self.began
        if self.process.returncode:
            raise ContenderFailedError(f"{self.name} ended with {self.process.returncode}; {self.said()}")
        return seconds

    def require_running(self) -> None:
        """Look at the processes; raise ContenderFailedError where they have ended."""
        self.watch.look()
        if self.process.poll() is not None:
            raise ContenderFailedError(f"{self.name} ended by itself with {self.process.returncode}; {self.said()}")

    def said(self) -> str:
        """The end of the contender's log."""
        return "it said: …" + self.log.read_text(errors="replace")[-_SAID:].strip()

    def stop(self) -> None:
        """SIGTERM to the process and its children; SIGKILL to what is still there after a minute."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_GRACE)


def drain(place: Place, contender: Contender, work: Work, wanted: verify.Totals, timeout: float) -> dict[str, float]:
    """Run a contender over all that waits, check what it wrote; the run's figures.

    Raises:
        ContenderFailedError: it failed, was too slow, or wrote something else than it should.
    """
    with place.ready(work) as settings:
        figures = timed(place, contender, work, timeout)
        if said := verify.found(settings, work.partitions).differences(wanted):
            raise ContenderFailedError(f"{contender.name} wrote {said}")
    return figures


def timed(place: Place, contender: Contender, work: Work, timeout: float) -> dict[str, float]:
    """Run a contender to its end over a work that is ready."""
    others_before = watch.settle(place.servers)
    machine, children = watch.Machine(place.servers), watch.children_cpu()
    began = time.time()
    running = Running(contender, work)
    try:
        seconds = running.wait(timeout)
    finally:
        running.stop()
    engine = max(running.watch.cpu(), watch.children_cpu() - children)  # looks miss the last moments, waits the lost
    return {
        "seconds": seconds,
        "path_seconds": contender.acknowledged(work) - began if contender.acknowledged else seconds,
        "engine_cpu": engine,
        "engine_java_cpu": running.watch.cpu(java=True),
        "peak_memory_mib": running.watch.peak,
        "others_before": others_before,
        **machine.figures(engine),
    }
