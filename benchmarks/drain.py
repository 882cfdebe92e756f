"""How fast the job drains waiting events into all of its sinks: ``python -m benchmarks.drain --events 1000000``.

A stack of its own is started on free ports and the events are sent before the clock starts. Time runs from the start
of ``spark-submit`` to its exit. ``events_per_second`` is the whole process; ``batches_per_second`` leaves out what
the ledger does not count: the start of Spark and the refresh of the derived tables at the end. Processor time and
memory are read from the processes themselves, Python workers included. ``load_before`` says whether the machine was
quiet.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.harness.watch import Watch, server_cpu
from clicktrail import spark_submit, store
from clicktrail.job import ledger
from clicktrail.servers import Stack, data_services
from clicktrail.settings import PROJECT, Settings
from clicktrail.simulate import Order, clicks
from producers.click_producer import produce_clicks
from tests.integration.support import stack_settings

RESULTS = PROJECT / "benchmarks" / "results"
_LOOK = 0.5  # seconds between two looks at the processes


@dataclass(frozen=True)
class Drain:
    """One run. Times in seconds, memory in MiB; processor seconds are user and system together."""

    events: int
    event_bytes: int
    offsets_per_batch: int
    seconds: float
    batch_seconds: float
    events_per_second: float
    batches_per_second: float
    spark_cpu: float
    python_cpu: float
    cassandra_cpu: float
    kafka_cpu: float
    spark_memory_mib: float
    load_before: float
    good: int
    dead_letters: int
    finished_at: str


def send(settings: Settings, events: int, seed: int) -> int:
    """Send the events (2 % invalid, 1 % repeats); gives the median size of a value in bytes."""
    visitors = max(1_000, events // 20)
    order = Order(seed, f"benchmark-{seed}", count=events, visitors=visitors, invalid=0.02, duplicates=0.01)
    produce_clicks(settings, order, 0)
    return int(median(len(value or b"") for _, value in islice(clicks(order), 5_000)))


def drain(settings: Settings, stack: Stack, events: int, event_bytes: int, log: Path) -> Drain:
    """Run the job once over what waits."""
    load = os.getloadavg()[0]
    before = {name: server_cpu(stack, name) for name in ("cassandra", "kafka")}
    began, day = time.perf_counter(), datetime.now(UTC)
    with log.open("wb") as out:
        command, env = spark_submit.command(settings), spark_submit.environment(settings)
        process = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT)
        watch = Watch(process.pid)
        while process.poll() is None:
            watch.look()
            time.sleep(_LOOK)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"the job ended with {process.returncode}:\n{log.read_text(errors='replace')[-3000:]}")
    entries, batch_seconds = done(settings, day)
    read = sum(entry.events_read for entry in entries)
    if read != events:
        raise SystemExit(f"the ledger has {read} events, {events} were sent")
    good = sum(entry.good for entry in entries)
    return Drain(
        events=events,
        event_bytes=event_bytes,
        offsets_per_batch=settings.max_offsets_per_batch,
        seconds=round(seconds, 1),
        batch_seconds=round(batch_seconds, 1),
        events_per_second=round(events / seconds),
        batches_per_second=round(events / batch_seconds),
        spark_cpu=round(watch.cpu(java=True), 1),
        python_cpu=round(watch.cpu(java=False), 1),
        cassandra_cpu=round(server_cpu(stack, "cassandra") - before["cassandra"], 1),
        kafka_cpu=round(server_cpu(stack, "kafka") - before["kafka"], 1),
        spark_memory_mib=round(watch.peak),
        load_before=round(load, 1),
        good=good,
        dead_letters=read - good,
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def done(settings: Settings, since: datetime) -> tuple[list[ledger.Entry], float]:
    """The ledger's entries since a moment, and the seconds of their batches together."""
    with store.connect(settings) as session:
        days = since.date(), (since + timedelta(days=1)).date()
        found = ledger.read(session, range(settings.topic_partitions), *days)
    entries = [entry for entry in found if entry.finished_at and entry.finished_at.replace(tzinfo=UTC) >= since]
    return entries, sum({(entry.epoch, entry.batch_id): entry.seconds for entry in entries}.values())


def main() -> None:
    """Measure, show, and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2, help="the first has cold servers")
    parser.add_argument("--offsets-per-batch", type=int, default=250_000)
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(
        prefix="drain-", dir=PROJECT / "build" if (PROJECT / "build").is_dir() else None
    ) as home:
        settings = stack_settings(Path(home)).with_changes(
            max_offsets_per_batch=options.offsets_per_batch, spark_driver_memory="2g"
        )
        stack = Stack(settings, data_services(settings))
        stack.up()
        try:
            runs = []
            for seed in range(1, options.rounds + 1):
                size = send(settings, options.events, seed)
                runs.append(drain(settings, stack, options.events, size, Path(home) / f"job-{seed}.log"))
                console.print(table(runs))
        finally:
            stack.down()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "drain.json").write_text(json.dumps([asdict(run) for run in runs], indent=2) + "\n")


def table(runs: list[Drain]) -> Table:
    """The runs side by side."""
    shown = Table(title="drain", title_justify="left")
    shown.add_column("figure")
    for number in range(1, len(runs) + 1):
        shown.add_column(f"round {number}", justify="right")
    for figure in asdict(runs[0]):
        shown.add_row(
            figure, *(f"{getattr(run, figure):,}" if figure != "finished_at" else run.finished_at for run in runs)
        )
    return shown


if __name__ == "__main__":
    main()
