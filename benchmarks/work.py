"""What a contender of the benchmarks is given, what it is, and what a limit of the machine is: shared words.

A contender is a program of its own. It reads ``source_topic`` from what its group has committed, else its start,
parses, validates and enriches each record by the rules of ``clicktrail.job.decode``, writes good events to
``transformed_topic`` and to ``events_by_user_day`` with the job's write time, original bytes of bad ones to
``dead_letter_topic``, and commits offsets only after both sinks acknowledged.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

VARIABLE = "CLICKTRAIL_BENCH_WORK"
"""The variable that holds a contender's :class:`Work`, as JSON."""
CONSISTENCY = "LOCAL_ONE"
"""Of every contender's writes."""


@dataclass(frozen=True)
class Work:
    """What a contender has to do, and where."""

    bootstrap: str
    """Kafka, as ``host:port``."""
    contact_point: str
    """Cassandra's host."""
    cassandra_port: int
    keyspace: str
    """Exists, with the tables of ``schema.cql``."""
    source_topic: str
    transformed_topic: str
    dead_letter_topic: str
    group: str
    """Consumer group; one for each run."""
    scratch: str
    """A folder for this run alone: checkpoints and the like."""
    follow: bool = False
    """False: drain up to the ends that the topic had at the start, then exit 0. True: run until SIGTERM."""
    workers: int = 2
    """How many cores' worth of workers: Spark's ``local[n]``, threads, or processes."""
    partitions: int = 4
    """Partitions of the source topic."""
    max_record_bytes: int = 1_048_576

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """Read it from the environment, as a contender does at its start."""
        return cls(**json.loads((os.environ if env is None else env)[VARIABLE]))

    def to_env(self) -> dict[str, str]:
        """The one variable that a contender reads."""
        return {VARIABLE: json.dumps(asdict(self))}

    def with_changes(self, **changes: Any) -> Self:
        """A copy with other values."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Contender:
    """One way to do the work."""

    name: str
    about: str
    """A sentence for the results page: what it is, and its best settings."""
    command: Callable[[Work], list[str]]
    env: Callable[[Work], dict[str, str]]
    """The whole environment of the child, this process's own included where it needs it."""
    acknowledged: Callable[[Work], float] | None = None
    """When both sinks had acknowledged the last event (seconds since 1970), where that is before its exit."""
    prepare: Callable[[], None] = lambda: None
    """Compiles or installs what the contender needs, once and outside of all clocks; fast where it is done."""


@dataclass(frozen=True)
class Limit:
    """What the machine can do at most in one respect."""

    name: str
    about: str
    events: int
    seconds: float
    cpu_seconds: float
    """Of the measuring process and its children; 0 where nobody measured."""

    @property
    def events_per_second(self) -> float:
        """The figure."""
        return self.events / self.seconds

    @property
    def cpu_seconds_per_million(self) -> float:
        """Processor seconds of the measuring process for a million events."""
        return self.cpu_seconds * 1_000_000 / self.events


Measure = Callable[[Work, int], Limit]
"""A limit's measurement over so many events; see ``benchmarks.limits``."""


def plain_env() -> dict[str, str]:
    """This process's environment without clicktrail's settings: a contender gets its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CLICKTRAIL_")}


def scratch(work: Work) -> Path:
    """The run's folder, made where it is missing."""
    folder = Path(work.scratch)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
