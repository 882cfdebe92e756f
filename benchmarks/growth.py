"""What a million events take on disk, by table, and how long the job takes: ``python benchmarks/growth.py [CLICKS]``.

Starts servers of its own in a temporary folder, sends simulated clicks (200,000 by default), runs the job once, stops
the servers (Cassandra flushes then) and measures the folders of the tables.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from clicktrail import jars, spark_submit, store, topics
from clicktrail.sending import Sender
from clicktrail.servers import Stack, data_services
from clicktrail.settings import Settings
from clicktrail.simulate import Order, clicks

_SAID = re.compile(r"clicktrail\.job\.(batch: batch .*|derive\.refresh: answers: .*)")


def _settings(home: Path) -> Settings:
    sockets = [socket.socket() for _ in range(3)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    zookeeper, kafka, cassandra = (each.getsockname()[1] for each in sockets)
    for each in sockets:
        each.close()
    return Settings(
        home=home,
        zookeeper_port=zookeeper,
        kafka_port=kafka,
        cassandra_port=cassandra,
        checkpoint_dir=str(home / "checkpoint"),
    )


def _fill(settings: Settings, count: int, console: Console) -> None:
    topics.ensure_topics(settings)
    store.apply_schema(settings)
    end = datetime.now(UTC).replace(microsecond=0)
    order = Order(1, "growth", count, visitors=max(100, count // 30), end=end, window=timedelta(days=3))
    with Sender(settings) as sender:
        for key, value in clicks(order):
            sender.send(key, value)
    started = time.monotonic()
    done = subprocess.run(
        spark_submit.command(settings, ["--trigger", "available-now"]),
        env=spark_submit.environment(settings),
        capture_output=True,
        text=True,
        check=True,
    )
    for said in _SAID.findall(done.stdout + done.stderr):
        console.print(said, highlight=False)
    console.print(f"the job took {time.monotonic() - started:.0f} s for {count:,} clicks", highlight=False)


def _sizes(data: Path, keyspace: str) -> dict[str, int]:
    """Bytes by table."""
    sizes: dict[str, int] = {}
    for folder in (data / keyspace).iterdir():
        sizes[folder.name.rpartition("-")[0]] = sum(
            file.stat().st_size for file in folder.glob("*-*") if file.is_file()
        )
    return sizes


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    console = Console()
    jars.install()
    home = Path(tempfile.mkdtemp(prefix="clicktrail-growth-"))
    settings = _settings(home)
    servers = Stack(settings, data_services(settings))
    try:
        servers.up()
        _fill(settings, count, console)
        servers.down()
        (keyspace,) = (folder.parent for folder in home.rglob("events_by_user_day-*"))
        table = Table("table", "MB a million events")
        sizes = _sizes(keyspace.parent, keyspace.name)
        for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
            table.add_row(name, f"{size / count:,.1f}")
        table.add_row("all", f"{sum(sizes.values()) / count:,.1f}")
        console.print(table)
    finally:
        servers.down()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
