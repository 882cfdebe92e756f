"""Which runs, in which order: rounds in which the contenders take turns, so that a slow minute hits them all alike."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from subprocess import SubprocessError
from typing import TypeVar

from cassandra import DriverException, RequestExecutionException
from cassandra.cluster import NoHostAvailable
from confluent_kafka import KafkaException
from rich.console import Console

from benchmarks.harness import latency, run, summary, verify, watch, workload
from benchmarks.harness.results import Cell, Report, Result, result_key
from benchmarks.harness.run import Place
from benchmarks.harness.scaling import Point, points
from benchmarks.harness.workload import Workload
from benchmarks.work import Contender, Measure, Work
from clicktrail.errors import ClicktrailError

log = logging.getLogger(__name__)

T = TypeVar("T")

FAILURES = (
    ClicktrailError, KafkaException, DriverException, RequestExecutionException, NoHostAvailable, SubprocessError,
    OSError, EOFError, TimeoutError, ValueError, KeyError,
)  # fmt: skip
"""What a contender or its surroundings may do to a run; the run then has a problem, and the next one follows."""
_TRIAL = 1_000
"""Events of the first run of each contender: it is not measured, and what follows on the same topic finds it idle."""
_SLOWEST = 300
"""Events a second: a drain that is slower than this, start-up aside, is given up."""
_LONGEST_START = 240.0
_WARM_UPS = 5
"""Loads before the first that counts, at most: as long as each finds the contender faster than the one before."""
_UNKNOWN = 60.0  # seconds that a run is thought to take where none like it has been


@dataclass(frozen=True)
class Options:
    """What to measure."""

    sizes: tuple[int, ...]
    repetitions: int
    latency_levels: tuple[float, ...]
    """Shares of each contender's own maximum."""
    latency_seconds: float
    warm_up_seconds: float
    limit_events: int
    scaling_events: int
    scaled: tuple[str, ...]
    """Contenders of the scaling matrix."""
    skip: frozenset[str] = frozenset()
    minutes: float = 0.0
    """0: no bound."""


@dataclass
class Bench:
    """One benchmark at work."""

    place: Place
    contenders: Sequence[Contender]
    limits: Sequence[Measure]
    options: Options
    report: Report
    path: Path
    console: Console
    began: float = field(default_factory=time.monotonic)
    _wanted: dict[str, verify.Totals] = field(default_factory=dict)
    _took: dict[tuple[str, str, object], float] = field(default_factory=dict)
    _number: int = 0

    def all(self) -> None:
        """Every phase that is not skipped; the first drains and latencies come before further repetitions."""
        repetitions = range(1, self.options.repetitions + 1)
        if "idle" not in self.options.skip:
            self.idle(repetitions)
        if "drain" not in self.options.skip:
            self.drains(repetitions[:1])
        if "latency" not in self.options.skip:
            self.latencies()
        if "drain" not in self.options.skip:
            self.drains(repetitions[1:])
        if "scaling" not in self.options.skip:
            self.scaling(repetitions)

    def idle(self, repetitions: range) -> None:
        """Seconds from start to exit where there is nothing to do; the run before warms the contender's files."""
        cell: Cell = {"events": 0}
        todo = [
            each
            for each in self.contenders
            if any(not self._done("idle", each.name, cell, repetition) for repetition in repetitions)
        ]
        try:
            with ExitStack() as stack:
                works: dict[str, Work] = {}
                for each in todo:
                    trial = partial(self._trial, stack, each, works)
                    self.measure("trial", each.name, {"events": _TRIAL}, 1, trial)
                for repetition in repetitions:
                    for each in turn([one for one in todo if one.name in works], repetition):
                        idle = partial(self._idle, each, works[each.name])
                        self.measure("idle", each.name, cell, repetition, idle)
        except FAILURES as error:
            self._note(f"after the idle runs not all was taken away: {_short(error)}")

    def _idle(self, contender: Contender, work: Work) -> dict[str, float]:
        return run.timed(self.place, contender, work, self._patience(_LONGEST_START))

    def _trial(self, stack: ExitStack, contender: Contender, works: dict[str, Work]) -> dict[str, float]:
        load = Workload(_TRIAL)
        wanted = self._load(load)
        work = self._work(contender, load)
        settings = stack.enter_context(self.place.ready(work))
        figures = run.timed(self.place, contender, work, self._patience(_LONGEST_START))
        if said := verify.found(settings, work.partitions).differences(wanted):
            raise run.ContenderFailedError(f"{contender.name} wrote {said}")
        works[contender.name] = work
        return figures

    def drains(self, repetitions: range) -> None:
        """The limits and all contenders over all sizes."""
        for repetition in repetitions:
            if "limits" not in self.options.skip:
                self._limits(repetition)
            for events in self.options.sizes:
                for each in turn(self.contenders, repetition):
                    self._drain("drain", each, {"events": events}, repetition, Workload(events), 2)

    def scaling(self, repetitions: range) -> None:
        """How the cost grows, one cell after the other."""
        chosen = [each for each in self.contenders if each.name in self.options.scaled]
        matrix = points(self.options.scaling_events)
        for place, point in enumerate(matrix):
            for repetition in repetitions:
                for each in turn(chosen, repetition):
                    self._scale(point, each, repetition)
            if all(later.workload != point.workload for later in matrix[place + 1 :]):
                self._unload(point.workload)

    def _scale(self, point: Point, contender: Contender, repetition: int) -> None:
        self._drain("scaling", contender, point.cell, repetition, point.workload, point.workers)

    def _limits(self, repetition: int) -> None:
        cell: Cell = {"events": self.options.limit_events}
        load = Workload(self.options.limit_events)
        for each in turn(self.limits, repetition):
            self.measure("limit", each.__name__, cell, repetition, partial(self._limit, each, load))

    def _limit(self, measure: Measure, load: Workload) -> dict[str, float]:
        self._load(load)
        work = self.place.work(self._name(measure.__name__), load.topic, load.partitions)
        with self.place.ready(work):
            before = watch.settle(self.place.servers)
            machine = watch.Machine(self.place.servers)
            children = watch.children_cpu()
            limit = measure(work, load.events)
            figures = machine.figures(watch.children_cpu() - children)
        self.report.about[measure.__name__] = f"{limit.name}: {limit.about}"
        return {
            "seconds": limit.seconds,
            "events_per_second": limit.events_per_second,
            "cpu_seconds_per_million": limit.cpu_seconds_per_million,
            "others_before": before,
            **figures,
        }

    def _drain(
        self, kind: str, contender: Contender, cell: Cell, repetition: int, load: Workload, workers: int
    ) -> None:
        def work() -> dict[str, float]:
            wanted = self._load(load)
            patience = self._patience(_LONGEST_START + load.events / _SLOWEST)
            return run.drain(self.place, contender, self._work(contender, load, workers), wanted, patience)

        self.measure(kind, contender.name, cell, repetition, work)

    def latencies(self) -> None:
        """Each contender, always on, at shares of its own maximum."""
        for each in self.contenders:
            rate, limit = sustained_rate(self.report, each.name), summary.tightest(self.report)
            rate = min(rate, limit[1]) if rate and limit else rate  # small drains can make a fit that is too good
            todo = [
                share
                for share in self.options.latency_levels
                if not self._done("latency", each.name, {"load": share}, 1)
            ]
            if rate is None and todo:
                self._note(f"{each.name}: no latency, for there is no drain that counts")
            elif rate is not None and todo and self._fits("latency", each.name, ""):
                self._latency(each, rate, todo)

    def _latency(self, contender: Contender, rate: float, shares: Sequence[float]) -> None:
        """One start of the contender, then one load after the other; a problem ends it."""
        name, began = self._name(contender.name), time.monotonic()
        work = self.place.work(name, f"{name}_source", latency.PARTITIONS, follow=True)
        try:
            with latency.following(self.place, contender, work) as (running, session, ready):
                settings = self.place.settings_for(work)

                start = workload.END

                def put(label: str, share: float, seconds: float) -> dict[str, float]:
                    nonlocal start
                    load = latency.Load(f"{label} {share}", rate * share, seconds, start)
                    start = load.end
                    return {"ready_seconds": ready, **latency.measure(self.place, settings, running, session, load)}

                self._say(f"latency {contender.name}: on after {ready:.1f} s; warm-up")
                before = float("inf")
                for number in range(_WARM_UPS):
                    warm = put(f"warm-up {number}", min(0.5, max(shares)), self.options.warm_up_seconds)["p50"]
                    if warm > 0.8 * before:  # it no longer gets faster
                        break
                    before = warm
                for share in shares:
                    once = partial(put, "load", share, self.options.latency_seconds)
                    self.measure("latency", contender.name, {"load": share}, 1, once)
        except FAILURES as error:
            self.report.add(Result("latency", contender.name, {"load": shares[0]}, 1, {}, str(error)))
            self._say(f"[red]latency {contender.name}: {_short(error)}")
        finally:
            run.delete_topics(self.place.settings, [work.source_topic, *_beside(work.source_topic)])
            self.report.save(self.path)
        self._took["latency", contender.name, ""] = time.monotonic() - began

    def measure(
        self, kind: str, subject: str, cell: Cell, repetition: int, work: Callable[[], dict[str, float]]
    ) -> None:
        """Do one run, keep what came of it; nothing where it is done, or would end too late."""
        what = cell.get("events", cell.get("load"))
        if self._done(kind, subject, cell, repetition) or not self._fits(kind, subject, what):
            return
        title = " ".join([kind, subject, *(f"{name} {value}" for name, value in cell.items()), f"({repetition})"])
        began = time.monotonic()
        with self.console.status(title):
            try:
                result = Result(kind, subject, cell, repetition, _rounded(work()))
            except FAILURES as error:
                log.debug("%s failed", title, exc_info=True)
                result = Result(kind, subject, cell, repetition, {}, str(error) or type(error).__name__)
        self._took[kind, subject, what] = time.monotonic() - began
        self._say(f"{title}: {_told(result)}")
        if kind != "trial" or result.problem:
            self.report.add(result)
            self.report.save(self.path)

    def _done(self, kind: str, subject: str, cell: Cell, repetition: int) -> bool:
        key = result_key(kind, subject, cell, repetition)
        return any(result.key == key and not result.problem for result in self.report.results)

    def _fits(self, kind: str, subject: str, what: object) -> bool:
        """Whether a run like this is likely to end in time; what does not is noted."""
        if not self.options.minutes:
            return True
        like = self._took.get((kind, subject, what)) or max(
            (seconds for (same, _, _), seconds in self._took.items() if same == kind), default=_UNKNOWN
        )
        if self._left() > like:
            return True
        self._note(f"{kind} of {subject} ({what}): left out, the {self.options.minutes:g} minutes were over")
        return False

    def _left(self) -> float:
        return self.began + self.options.minutes * 60 - time.monotonic()

    def _patience(self, seconds: float) -> float:
        return min(seconds, max(30.0, self._left())) if self.options.minutes else seconds

    def _load(self, load: Workload) -> verify.Totals:
        """The workload's topic, filled at its first use, and what has to come out of it."""
        if load.topic not in self._wanted:
            sent = workload.preload(self.place.settings, load)
            settings = workload.settings_of(self.place.settings, load.topic, load.partitions)
            wanted = self._wanted[load.topic] = verify.expected(settings, load.partitions)
            self.report.machine["event_bytes"] = round(sent["event_bytes"])
            self._say(
                f"{load.events:,} events sent in {sent['seconds']:.1f} s, {sent['event_bytes']:.0f} bytes each; "
                f"{wanted.rows:,} rows and {wanted.dead_letters:,} dead letters have to come out"
            )
        return self._wanted[load.topic]

    def _unload(self, load: Workload) -> None:
        if self._wanted.pop(load.topic, None):
            run.delete_topics(self.place.settings, [load.topic, *_beside(load.topic)])

    def _work(self, contender: Contender, load: Workload, workers: int = 2) -> Work:
        return self.place.work(self._name(contender.name), load.topic, load.partitions, workers=workers)

    def _name(self, subject: str) -> str:
        """A name for a run's keyspace and topics that no other run has."""
        self._number += 1
        return f"b{self._number}_{subject}".lower().replace("-", "_")[:40]

    def _note(self, text: str) -> None:
        if text not in self.report.notes:
            self.report.notes.append(text)
            self._say(f"[yellow]{text}")

    def _say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        self.console.print(f"[dim]{minutes:3d}:{seconds:02d}[/] {text}", highlight=False)


def sustained_rate(report: Report, contender: str) -> float | None:
    """Events a second of a contender that is at work for good, with all that it does beside the events' path.

    Fitted over the sizes, from start to exit, or of the one size that there is.
    """
    drains = report.good("drain", contender)
    line = summary.line(report, contender, summary.whole_seconds)
    if line is not None and line.rate != float("inf"):
        return line.rate
    if not drains:
        return None
    largest = max(int(result.cell["events"]) for result in drains)
    return largest / median(summary.whole_seconds(run) for run in drains if run.cell["events"] == largest)


def turn(items: Sequence[T], repetition: int) -> Iterator[T]:
    """All items, another one first in each repetition."""
    start = (repetition - 1) % max(1, len(items))
    yield from items[start:]
    yield from items[:start]


def _beside(topic: str) -> list[str]:
    return [f"{topic}_transformed", f"{topic}_dead"]


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300].replace("[", "\\[")


def _told(result: Result) -> str:
    """A result in a few words."""
    if result.problem:
        return "[red]" + " ".join(result.problem.split())[:600].replace("[", "\\[") + "[/]"
    figures, events = result.figures, result.cell.get("events")
    if result.kind == "latency":
        return "p50 {p50:.2f} s, p99 {p99:.2f} s, max {max:.2f} s at {rate:,.0f} events/s".format(**figures)
    said = f"{figures['seconds']:.1f} s"
    if isinstance(events, int) and events:
        said += f", {events / figures['seconds']:,.0f} events/s"
    return said + (", [yellow]noisy[/]" if result.noisy else "")
