"""Do the contenders do the same work? ``python -m benchmarks.check --events 5000``; also the tool to tune one.

Starts a stack of its own, sends simulated clicks, and runs each contender over them into a keyspace and topics of its
own. What it wrote must agree in numbers and checksums with what ``clicktrail.job.decode`` makes of the topic. With
``--set NAME=VALUE,NAME=VALUE`` (many times) a contender is run once for each set of variables: how its best settings
were found. Java's are given as ``JAVA_TOOL_OPTIONS=-Dpeer.rows=10``.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from unittest import mock

from rich.console import Console

from benchmarks import limits
from benchmarks.contenders import CONTENDERS
from benchmarks.harness import run, verify, watch, workload
from benchmarks.work import Contender, Measure, Work
from clicktrail.servers import Stack, data_services
from clicktrail.settings import PROJECT
from tests.integration.support import stack_settings

TIMEOUT = 900.0


def main() -> int:
    """Run, compare, show; 1 where one of them does not agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--only", default="", help="names of contenders or limits, with commas between them")
    parser.add_argument("--set", action="append", default=[], help="variables for a run: NAME=VALUE,NAME=VALUE")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--trust", action="store_true", help="do not compare what was written: for settings alone")
    parser.add_argument("--limits", action="store_true", help="measure the limits too")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    only = {name for name in options.only.split(",") if name}
    chosen = [each for each in CONTENDERS if not only or each.name in only]
    measured = [each for each in limits.LIMITS if each.__name__ in only or (options.limits and not only)]
    for each in chosen:
        each.prepare()
    console = Console(width=160)
    folder = PROJECT / "build" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="check-", dir=folder) as home:
        settings = stack_settings(Path(home))
        stack = Stack(settings, data_services(settings))
        stack.up()
        try:
            work = workload.Workload(options.events)
            workload.preload(settings, work)
            source = workload.settings_of(settings, work.topic, work.partitions)
            wanted = None if options.trust else verify.expected(source, work.partitions)
            console.print(f"{options.events:,} events: {wanted or 'not compared'}", highlight=False)
            place = run.Place(settings, watch.server_pids(stack), Path(home) / "runs")
            bad = 0
            for _ in range(options.rounds):
                for variables in [_parsed(text) for text in options.set] or [{}]:
                    for measure in measured:
                        _measure(console, place, work, measure, variables)
                    for each in chosen:
                        bad += _run(console, place, each, variables, work, wanted, options.workers)
        finally:
            stack.down()
    return 1 if bad else 0


def _parsed(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split(",") if pair)


def _run(
    console: Console,
    place: run.Place,
    contender: Contender,
    variables: Mapping[str, str],
    load: workload.Workload,
    wanted: verify.Totals | None,
    workers: int,
) -> int:
    given = replace(contender, env=lambda work: contender.env(work) | dict(variables))
    if variables:
        console.print(" ".join(f"{name}={value}" for name, value in variables.items()), markup=False)
    work = place.work(f"c{time.time_ns()}", load.topic, load.partitions, workers=workers)
    with mock.patch.dict(os.environ, variables):
        return _counted(console, place, given, work, wanted, load.events)


def _counted(
    console: Console, place: run.Place, contender: Contender, work: Work, wanted: verify.Totals | None, events: int
) -> int:
    try:
        if wanted:
            figures = run.drain(place, contender, work, wanted, TIMEOUT)
        else:
            with place.ready(work):
                figures = run.timed(place, contender, work, TIMEOUT)
    except run.ContenderFailedError as error:
        console.print(f"{contender.name}: {error}", style="red", highlight=False, markup=False)
        return 1
    shown = ", ".join(f"{name} {value:,.2f}" for name, value in figures.items())
    console.print(f"{contender.name}: {events / figures['seconds']:,.0f} events/s", style="bold")
    console.print(f"  {shown}", highlight=False, markup=False)
    return 0


def _measure(
    console: Console, place: run.Place, load: workload.Workload, measure: Measure, variables: Mapping[str, str]
) -> None:
    work = place.work(f"l{time.time_ns()}", load.topic, load.partitions)
    with place.ready(work), mock.patch.dict(os.environ, variables):
        before = watch.cpu_of(place.servers["cassandra"])
        found = measure(work, load.events)
        spent = watch.cpu_of(place.servers["cassandra"]) - before
    console.print(
        f"{found.name} {dict(variables)}: {found.events_per_second:,.0f} events/s, "
        f"{found.cpu_seconds_per_million:.1f} CPU-s a million; Cassandra {spent:.1f} CPU-s in all ({found.about})",
        highlight=False,
        markup=False,
    )


if __name__ == "__main__":
    sys.exit(main())
