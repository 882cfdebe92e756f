"""The page of the results: what it says of runs whose figures are known."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.__main__ import options_of, parser
from benchmarks.harness import page, summary
from benchmarks.harness.plan import sustained_rate
from benchmarks.harness.results import Report, Result
from benchmarks.harness.targets import targets

COSTS = {"engine_cpu": 10.0, "broker_cpu": 2.0, "cassandra_cpu": 8.0, "others": 0.01, "load_before": 0.5}


def drain(contender: str, events: int, seconds: float, repetition: int = 1, **figures: float) -> Result:
    figures = {**COSTS, "seconds": seconds, "peak_memory_mib": 900.0, "others_before": 0.02, **figures}
    return Result("drain", contender, {"events": events}, repetition, figures)


def limit(name: str, rate: float) -> Result:
    figures = {"events_per_second": rate, "seconds": 1.0, "cpu_seconds_per_million": 20.0}
    return Result("limit", name, {"events": 1000}, 1, COSTS | figures)


@pytest.fixture
def report() -> Report:
    machine = {"processor": "a processor", "cores": 2, "memory_gib": 24.0, "system": "Linux", "load_at_start": 0.1}
    found = Report(machine=machine, options={}, about={"clicktrail": "the job", "java": "a plain client"})
    for name, startup, rate in (("java", 2.0, 25_000), ("clicktrail", 8.0, 20_000)):
        for repetition in (1, 2, 3):
            for events in (10_000, 100_000):
                found.add(drain(name, events, (startup + events / rate) * (1 + repetition / 100), repetition))
    rates = {"cassandra_single": 20_000.0, "cassandra_batched": 50_000.0, "kafka_produce": 200_000.0, "parse": 9_000.0}
    for name, rate in rates.items():
        found.add(limit(name, rate))
    return found


def test_the_tightest_limit_is_the_best_way_to_write(report: Report) -> None:
    assert summary.tightest(report) == ("cassandra_batched", 50_000.0)


def test_without_limits_there_is_no_share() -> None:
    empty = Report(machine={}, options={})
    assert summary.tightest(empty) is None
    assert page.share(empty, 5.0) == "–"


def test_the_page_has_median_range_and_share(report: Report, tmp_path: Path) -> None:
    text = page.chapter(report, tmp_path, "bench")
    seconds = (8 + 100_000 / 20_000) * 1.02
    rate = 100_000 / seconds
    assert f"| clicktrail | {rate:,.0f} (" in text
    assert f"{rate / 50_000:.1%}" in text
    assert "a processor, 2 cores, 24.0 GiB" in text
    assert "In no run had other programs more than 10%" in text
    assert text.index("| clicktrail |") < text.index("| java |")


def test_rates_a_cpu_second_are_split(report: Report) -> None:
    row = next(row for row in summary.drained(report) if (row.contender, row.events) == ("java", 100_000))
    assert (row.engine, row.broker, row.cassandra, row.per_cpu_second) == (10_000, 50_000, 12_500, 5_000)


def test_noise_is_said(report: Report, tmp_path: Path) -> None:
    report.add(drain("java", 10_000, 3.0, repetition=4, others=0.4))
    text = page.chapter(report, tmp_path, "bench")
    assert "**Noise:** in 1 of 17 runs" in text
    assert "too noisy to trust" not in text
    for repetition in range(5, 12):
        report.add(drain("java", 10_000, 3.0, repetition, others_before=0.5))
    assert "too noisy to trust" in page.chapter(report, tmp_path, "bench")


def test_a_run_with_a_problem_is_told_and_not_counted(report: Report, tmp_path: Path) -> None:
    report.add(Result("drain", "java", {"events": 100_000}, 2, {}, "java wrote rows 9, not 10"))
    assert len(report.good("drain", "java", events=100_000)) == 2
    assert "java wrote rows 9, not 10" in page.chapter(report, tmp_path, "bench")


def test_a_run_again_replaces_the_one_before(report: Report) -> None:
    count = len(report.results)
    report.add(drain("java", 100_000, 99.0, repetition=2))
    assert len(report.results) == count


def test_pictures_are_drawn(report: Report, tmp_path: Path) -> None:
    figures = {**COSTS, "rate": 5000.0, "p50": 0.5, "p99": 2.0, "max": 3.0, "looked_for": 200.0, "missing": 0.0}
    figures |= {"ready_seconds": 9.0, "seconds": 4.0}
    for name in ("java", "clicktrail"):
        report.add(Result("latency", name, {"load": 0.5}, 1, figures))
        for value in (1, 8):
            report.add(Result("scaling", name, {"axis": "partitions", "value": value, "events": 1000}, 1, figures))
        report.add(Result("idle", name, {"events": 0}, 1, figures))
    text = page.chapter(report, tmp_path, "bench")
    for part in ("rates", "drains", "cpu", "memory", "latency", "scaling"):
        assert f"(bench-{part}.svg)" in text
        assert ElementTree.parse(tmp_path / f"bench-{part}.svg").getroot().tag.endswith("svg")


def test_results_are_kept_and_read_again(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    report.save(path)
    assert Report.load(path) == report
    assert json.loads(path.read_text())["results"][0]["subject"] == "java"
    assert page.write(tmp_path).read_text().count("### Drains") == 1


def test_a_page_of_nothing_is_still_a_page(tmp_path: Path) -> None:
    machine = {"processor": "p", "cores": 1, "memory_gib": 1.0, "system": "s", "load_at_start": 0.0}
    Report(machine=machine, options={}, notes=["java: not there"]).save(tmp_path / "bench.json")
    assert "java: not there" in page.write(tmp_path).read_text()


def test_the_sustained_rate_leaves_the_start_out(report: Report) -> None:
    assert sustained_rate(report, "clicktrail") == pytest.approx(20_000, rel=0.05)
    assert sustained_rate(report, "nobody") is None


def test_bench_decides_and_full_is_the_whole_matrix() -> None:
    short = options_of(parser().parse_args([]))
    assert (short.sizes, short.latency_levels, "scaling" in short.skip) == ((10_000, 100_000), (0.5,), True)
    assert 0 < short.minutes < 30
    full = options_of(parser().parse_args(["--full", "--huge"]))
    assert full.sizes == (10_000, 100_000, 1_000_000, 10_000_000)
    assert (full.repetitions, full.latency_levels, full.minutes) == (5, (0.1, 0.5, 0.8), 0)
    chosen = options_of(parser().parse_args(["--only", "java", "--sizes", "5_000", "--skip", "latency,idle"]))
    assert (chosen.sizes, chosen.scaled, chosen.skip) == ((5_000,), ("java",), {"latency", "idle", "scaling"})
    with pytest.raises(SystemExit):
        options_of(parser().parse_args(["--skip", "everything"]))


def test_targets_are_judged(report: Report) -> None:
    report.add(drain("python", 10_000, 4.0))
    report.add(drain("python", 100_000, 22.0))
    found = {target.what: (target.found, target.met) for target in targets(report)}
    assert found["steady rate, of Cassandra's batched ceiling"] == ("39%", False)
    assert found["steady rate against python"] == ("3.9×", False)
    assert found["events a CPU second against java (100,000 events)"] == ("1.00×", True)
    report.add(Result("idle", "clicktrail", {"events": 0}, 1, {"seconds": 11.0}))
    assert targets(report)[-1].met
    assert targets(Report(machine={}, options={})) == []
