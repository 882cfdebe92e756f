"""The arithmetic of the benchmarks, on numbers whose answer is known."""

from __future__ import annotations

import math

import pytest

from benchmarks.harness.fit import fit, percentile, spread


def test_start_up_and_rate_are_found_again() -> None:
    points = [(float(events), 8.0 + events / 25_000) for events in (10_000, 100_000, 1_000_000)]
    line = fit(points)
    assert line is not None
    assert line.startup == pytest.approx(8.0)
    assert line.rate == pytest.approx(25_000)
    assert line.misfit == pytest.approx(0, abs=1e-9)
    assert line.seconds(500_000) == pytest.approx(28.0)


def test_a_small_run_weighs_as_much_as_a_large_one() -> None:
    """The same relative error in each: by absolute error the small ones would not count at all."""
    points = [(10_000.0, 8.4 * 1.05), (10_000.0, 8.4 * 0.95), (1_000_000.0, 48 * 1.05), (1_000_000.0, 48 * 0.95)]
    line = fit(points)
    assert line is not None
    assert line.startup == pytest.approx(8.0, rel=0.02)
    assert line.rate == pytest.approx(25_000, rel=0.02)
    assert line.misfit == pytest.approx(0.05, rel=0.1)


def test_a_start_is_never_negative() -> None:
    line = fit([(10_000.0, 0.5), (100_000.0, 10.0)])
    assert line is not None
    assert line.startup == 0
    assert 10_000 < line.rate < 20_000


def test_an_event_never_costs_less_than_nothing() -> None:
    line = fit([(10_000.0, 9.0), (100_000.0, 8.0)])
    assert line is not None
    assert line.rate == math.inf
    assert 8 < line.startup < 9
    assert line.seconds(1e6) == line.startup


def test_one_size_tells_no_start_up() -> None:
    assert fit([]) is None
    assert fit([(1000.0, 5.0), (1000.0, 5.1)]) is None


def test_percentiles_are_measured_values() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile(values, 1) == 100
    assert percentile(values, 0) == 1
    assert percentile([3.0], 0.99) == 3
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_median_and_range() -> None:
    found = spread([3.0, 1.0, 2.0, 10.0])
    assert (found.median, found.least, found.most, found.count) == (2.5, 1.0, 10.0, 4)
