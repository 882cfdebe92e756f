"""What the results say together: the middle and the range of repetitions, shares of the tightest limit, start-ups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from benchmarks.harness.fit import Line, Spread, fit, spread
from benchmarks.harness.results import Report, Result

MACHINE_LIMITS = ("cassandra", "kafka")
"""Limits that hold for every contender, by the beginning of their names; the parse alone is one of the Python ones."""


@dataclass(frozen=True)
class Drained:
    """All repetitions of one contender over one number of events."""

    contender: str
    events: int
    seconds: Spread
    """From start to exit."""
    rate: Spread
    """Events a second, from start until all sinks had acknowledged them."""
    engine: float
    """Events for each processor second of the contender; the median, as all that follows."""
    broker: float
    cassandra: float
    per_cpu_second: float
    """Events for each processor second of all three together."""
    memory_mib: float
    noisy: int
    """Repetitions that others disturbed."""


def drained(report: Report) -> list[Drained]:
    """By contender, then by size."""
    found = []
    for contender in report.subjects("drain"):
        for events in sizes(report, contender):
            found.append(_drained(contender, events, report.good("drain", contender, events=events)))
    return found


def sizes(report: Report, contender: str | None = None) -> list[int]:
    """Numbers of events that have been drained, and count."""
    return sorted({int(result.cell["events"]) for result in report.good("drain", contender)})


def _drained(contender: str, events: int, runs: list[Result]) -> Drained:
    def each(name: str) -> float:
        return events / max(1e-9, median(run.figures[name] for run in runs))

    together = median(sum(run.figures[f"{part}_cpu"] for part in ("engine", "broker", "cassandra")) for run in runs)
    return Drained(
        contender=contender,
        events=events,
        seconds=spread([run.figures["seconds"] for run in runs]),
        rate=spread([events / path_seconds(run) for run in runs]),
        engine=each("engine_cpu"),
        broker=each("broker_cpu"),
        cassandra=each("cassandra_cpu"),
        per_cpu_second=events / max(1e-9, together),
        memory_mib=median(run.figures["peak_memory_mib"] for run in runs),
        noisy=sum(run.noisy for run in runs),
    )


def path_seconds(run: Result) -> float:
    """From the start of the process until all sinks had acknowledged the events."""
    return run.figures.get("path_seconds", run.figures["seconds"])


def whole_seconds(run: Result) -> float:
    """From the start of the process to its exit: for clicktrail with the derived tables."""
    return run.figures["seconds"]


def line(report: Report, contender: str, seconds: Callable[[Result], float] = path_seconds) -> Line | None:
    """Start-up and steady rate of a contender, of its events' path by default, over all sizes and repetitions."""
    return fit([(float(run.cell["events"]), seconds(run)) for run in report.good("drain", contender)])


def limits(report: Report) -> dict[str, Spread]:
    """Events a second of each limit."""
    return {
        name: spread([result.figures["events_per_second"] for result in report.good("limit", name)])
        for name in report.subjects("limit")
        if report.good("limit", name)
    }


def tightest(report: Report) -> tuple[str, float] | None:
    """The machine's tightest limit, and its events a second.

    What can be done in several ways (single and batched writes) is limited by the best of them only.
    """
    best: dict[str, tuple[float, str]] = {}
    for name, rate in limits(report).items():
        kind = _kind(name)
        if kind.startswith(MACHINE_LIMITS):
            best[kind] = max(best.get(kind, (0.0, "")), (rate.median, name))
    if not best:
        return None
    least, of = min(best.values())
    return of, least


def _kind(limit: str) -> str:
    return "cassandra" if limit.startswith("cassandra") else limit


def per(results: list[Result], figure: Callable[[Result], float]) -> Spread:
    """The spread of a figure over results."""
    return spread([figure(result) for result in results])
