"""Cassandra's write ceiling: a Java client that has our rows ready in memory and does nothing but write them."""

from __future__ import annotations

import json

from benchmarks.limits.child import run
from benchmarks.peers import java_client
from benchmarks.work import Limit, Work, plain_env

_JVM = ("-Xms3g", "-Xmx3g", "-XX:+UseParallelGC")
_SETTINGS = "DataStax driver, asynchronous, 128 requests in flight, one connection, LOCAL_ONE"


def cassandra_single(work: Work, events: int) -> Limit:
    """One insert a row."""
    return _ceiling(work, events, "single", f"one insert a row; {_SETTINGS}")


def cassandra_batched(work: Work, events: int) -> Limit:
    """Unlogged batches, each of one partition."""
    return _ceiling(work, events, "batched", f"unlogged batches of one visitor's day, up to 32 KiB; {_SETTINGS}")


def _ceiling(work: Work, events: int, mode: str, about: str) -> Limit:
    java_client.prepare()
    command = java_client.command("peer.Ceiling", mode, str(events), options=_JVM)
    told = json.loads(run(command, plain_env() | work.to_env()).said.splitlines()[-1])
    return Limit(f"Cassandra, {mode}", about, told["events"], told["seconds"], told["cpu_seconds"])
