"""The order of the runs, and what becomes of those that fail, are done already, or would end too late."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.__main__ import options_of, parser
from benchmarks.harness.plan import Bench, Options, turn
from benchmarks.harness.results import Report
from benchmarks.harness.run import ContenderFailedError, Place
from clicktrail.settings import Settings

OPTIONS: Options = options_of(parser().parse_args(["--minutes", "0"]))
FIGURES = {"seconds": 2.0, "others": 0.0, "load_before": 0.0}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    place = Place(Settings(home=tmp_path), {}, tmp_path)
    console = Console(file=io.StringIO(), width=200)
    return Bench(place, [], [], OPTIONS, Report({}, {}), tmp_path / "bench.json", console)


def test_each_repetition_begins_with_another_one() -> None:
    names = ["a", "b", "c"]
    assert [list(turn(names, repetition)) for repetition in (1, 2, 4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["a", "b", "c"],
    ]
    assert list(turn([], 3)) == []


def test_a_failed_run_is_kept_as_a_problem_and_the_next_one_follows(bench: Bench) -> None:
    def fails() -> dict[str, float]:
        raise ContenderFailedError("java ended with 7; it said: [no] memory")

    bench.measure("drain", "java", {"events": 10}, 1, fails)
    bench.measure("drain", "python", {"events": 10}, 1, lambda: FIGURES)
    kept = Report.load(bench.path)
    assert [(result.subject, result.problem) for result in kept.results] == [
        ("java", "java ended with 7; it said: [no] memory"),
        ("python", ""),
    ]


def test_a_mistake_of_the_harness_is_not_taken_for_a_contenders(bench: Bench) -> None:
    def broken() -> dict[str, float]:
        raise AttributeError("a mistake")

    with pytest.raises(AttributeError):
        bench.measure("drain", "java", {"events": 10}, 1, broken)


def test_what_is_done_is_not_done_again_but_what_failed_is(bench: Bench) -> None:
    calls: list[str] = []

    def run(name: str, fails: bool) -> dict[str, float]:
        calls.append(name)
        if fails:
            raise ContenderFailedError("no")
        return FIGURES

    for _ in range(2):
        bench.measure("drain", "good", {"events": 10}, 1, lambda: run("good", False))
        bench.measure("drain", "bad", {"events": 10}, 1, lambda: run("bad", True))
    bench.measure("drain", "good", {"events": 10}, 2, lambda: run("good again", False))
    assert calls == ["good", "bad", "bad", "good again"]


def test_what_would_end_too_late_is_left_out_and_noted(bench: Bench) -> None:
    bench.options = replace(OPTIONS, minutes=10)
    bench.measure("drain", "java", {"events": 10}, 1, lambda: FIGURES)
    bench.began = time.monotonic() - 9 * 60
    bench.measure("drain", "java", {"events": 10}, 2, lambda: FIGURES)
    assert len(bench.report.results) == 2
    bench.began = time.monotonic() - 11 * 60
    bench.measure("drain", "java", {"events": 10}, 3, lambda: FIGURES)
    bench.measure("drain", "java", {"events": 10}, 4, lambda: FIGURES)
    assert len(bench.report.results) == 2
    assert bench.report.notes == ["drain of java (10): left out, the 10 minutes were over"]
