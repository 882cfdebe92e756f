"""What enrichment takes of the job's throughput, side by side: ``python -m benchmarks.enrichment [EVENTS] [ROUNDS]``.

The same waiting events are drained with enrichment and without it (``benchmarks/bare``), turn about, each time into a
keyspace and topics of their own. The share is of the batches' time, median over the rounds; the first pair warms the
servers and is not counted.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from unittest import mock

from rich.console import Console
from rich.table import Table

from benchmarks.drain import RESULTS, Drain, drain, send
from clicktrail.servers import Stack, data_services
from clicktrail.settings import PROJECT, Settings
from tests.integration.support import apart, stack_settings

BARE = PROJECT / "benchmarks" / "bare"


def _run(settings: Settings, stack: Stack, name: str, events: int, size: int, *, bare: bool) -> Drain:
    own = apart(settings, name, source_topic=settings.source_topic)
    path = f"{BARE}:{PROJECT}" if bare else str(PROJECT)
    with mock.patch.dict("os.environ", PYTHONPATH=path):
        return drain(own, stack, events, size, settings.home / f"{name}.log")


def main() -> None:
    """Measure, show, and keep the results."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    runs: dict[str, list[Drain]] = {"with": [], "without": []}
    with tempfile.TemporaryDirectory(prefix="enrichment-") as home:
        settings = stack_settings(Path(home)).with_changes(max_offsets_per_batch=events, spark_driver_memory="2g")
        stack = Stack(settings, data_services(settings))
        stack.up()
        try:
            size = send(settings, events, 1)
            for number in range(rounds + 1):
                for name, done in runs.items():
                    bare = name == "without"
                    run = _run(settings, stack, f"{name}_{number}", events, size, bare=bare)
                    if number:
                        done.append(run)
        finally:
            stack.down()
    show(runs)
    RESULTS.mkdir(exist_ok=True)
    kept = {name: [asdict(run) for run in done] for name, done in runs.items()}
    (RESULTS / "enrichment.json").write_text(json.dumps(kept, indent=2) + "\n")


def show(runs: dict[str, list[Drain]]) -> None:
    """The medians side by side, and the share."""
    table = Table("figure", *runs, title="median of the rounds", title_justify="left")
    for figure in ("batches_per_second", "batch_seconds", "python_cpu", "spark_cpu", "cassandra_cpu"):
        table.add_row(figure, *(f"{median(getattr(run, figure) for run in done):,.1f}" for done in runs.values()))
    console = Console()
    console.print(table)
    times = {name: median(run.batch_seconds for run in done) for name, done in runs.items()}
    console.print(f"enrichment takes {1 - times['without'] / times['with']:.1%} of the time of a batch")


if __name__ == "__main__":
    main()
