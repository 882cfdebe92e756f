"""What the pipeline aims at, and whether a benchmark found it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.harness import summary
from benchmarks.harness.results import Report

OURS = "clicktrail"
PYTHON_PEERS = ("python", "quix", "tutorial")
_MILLION = 1_000_000


@dataclass(frozen=True)
class Target:
    """One aim."""

    what: str
    found: str
    wanted: str
    met: bool


def targets(report: Report) -> list[Target]:
    """The aims that this benchmark can judge."""
    return [*_ceiling(report), *_peers(report), *_latency(report), *_idle(report), *_memory(report)]


def _ceiling(report: Report) -> Iterator[Target]:
    ours, limits = summary.line(report, OURS), summary.limits(report)
    if ours and "cassandra_batched" in limits:
        found = ours.rate / limits["cassandra_batched"].median
        yield Target("steady rate, of Cassandra's batched ceiling", f"{found:.0%}", "45%", found >= 0.45)


def _peers(report: Report) -> Iterator[Target]:
    ours = summary.line(report, OURS)
    for name in PYTHON_PEERS:
        if ours and (theirs := summary.line(report, name)):
            found = ours.rate / theirs.rate
            yield Target(f"steady rate against {name}", f"{found:.1f}×", "4×", found >= 4)
    rows = {(row.contender, row.events): row for row in summary.drained(report)}
    both = [events for name, events in rows if name == OURS and ("java", events) in rows]
    if both:
        events = max(both)
        found = rows[OURS, events].per_cpu_second / rows["java", events].per_cpu_second
        yield Target(f"events a CPU second against java ({events:,} events)", f"{found:.2f}×", "1×", found >= 1)


def _latency(report: Report) -> Iterator[Target]:
    for run in report.good("latency", OURS, load=0.5):
        for name, most in (("p50", 1), ("p99", 3)):
            found = run.figures[name]
            yield Target(f"latency at half load, {name}", f"{found:.2f} s", f"{most} s", found <= most)


def _idle(report: Report) -> Iterator[Target]:
    if runs := report.good("idle", OURS):
        found = summary.per(runs, lambda run: run.figures["seconds"]).median
        yield Target("available-now on an idle topic", f"{found:.1f} s", "12 s", found <= 12)


def _memory(report: Report) -> Iterator[Target]:
    memory = {row.events: row.memory_mib for row in summary.drained(report) if row.contender == OURS}
    if _MILLION in memory and 10 * _MILLION in memory:
        found = memory[10 * _MILLION] / memory[_MILLION]
        yield Target("peak memory at 10M events, of that at 1M", f"{found:.2f}×", "1.1×", found <= 1.1)
