from __future__ import annotations

import itertools
import re

import pytest

from clicktrail.workflow.audit import _require_none
from clicktrail.workflow.expected import Event, Expected, Rejection, sample
from clicktrail.workflow.window import Span, Window, WorkflowError

WINDOW = Window("clicks", (Span(0, 100, 60_100), Span(3, 0, 40_500)))


def sampled(limit: int, seed: str) -> list[Span]:
    return [span for spans in sample(WINDOW, limit, seed) for span in spans]


def test_a_sample_is_a_function_of_its_seed() -> None:
    assert sampled(10_000, "run 1") == sampled(10_000, "run 1")
    assert sampled(10_000, "run 1") != sampled(10_000, "run 2")


def test_a_sample_lies_in_the_window_without_overlap_and_has_the_size_asked_for() -> None:
    spans = sorted(sampled(10_000, "x"))
    assert sum(span.size for span in spans) == pytest.approx(10_000, abs=1_000)
    bounds = {span.partition: span for span in WINDOW.spans}
    for span in spans:
        assert bounds[span.partition].first <= span.first < span.end <= bounds[span.partition].end
    assert all(a.partition != b.partition or a.end <= b.first for a, b in itertools.pairwise(spans))


def test_a_round_of_a_sample_reads_each_partition_at_most_once() -> None:
    for spans in sample(WINDOW, 20_000, "x"):
        assert len({span.partition for span in spans}) == len(spans)


def test_a_sample_larger_than_the_window_is_the_window() -> None:
    assert sum(span.size for span in sampled(1_000_000, "x")) == WINDOW.size


def test_missing_records_are_counted_and_named_in_order() -> None:
    event = Event((1, 7), "u1", 20_000, 1_728_000_000_123, "m-7")
    letter = Rejection((0, 9), 1_728_000_000_000, "not_json")
    expected = Expected(Window("clicks", (Span(0, 0, 30),)), False, [event] * 3, [letter] * 2)
    with pytest.raises(WorkflowError, match=re.escape("2 of 5 records of this run are missing in Cassandra")) as error:
        _require_none([event, letter], expected, "Cassandra")
    named = "partition 0 offset 9 (dead letter, not_json); partition 1 offset 7 (event 'm-7' of visitor 'u1' at 2024-"
    assert named in str(error.value)


def test_of_many_missing_records_twenty_are_named() -> None:
    events = [Event((0, offset), "u", 1, 1_728_000_000_000, f"m-{offset}") for offset in range(1_500)]
    expected = Expected(Window("clicks", (Span(0, 0, 1_500),)), True, events)
    with pytest.raises(WorkflowError, match=re.escape("1,500 of 1,500 sampled records")) as error:
        _require_none(events, expected, "Kafka")
    assert "offset 19 " in str(error.value)
    assert "offset 20 " not in str(error.value)
    assert str(error.value).endswith("and 1,480 more")


def test_reasons_are_counted_the_most_frequent_first() -> None:
    letters = [Rejection((0, n), 0, reason) for n, reason in enumerate(["not_json", "empty_key", "empty_key"])]
    expected = Expected(Window("clicks", ()), False, [], letters)
    assert list(expected.reasons().items()) == [("empty_key", 2), ("not_json", 1)]
