"""A run counts only where what it wrote is what should be there: the pure parts of that, and the workload."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from benchmarks.harness import latency
from benchmarks.harness.scaling import points
from benchmarks.harness.verify import COLUMNS, Totals, checksum, digest, digest_bytes, token_ranges
from benchmarks.harness.workload import Workload
from clicktrail.events import FIELD_NAMES, IDENTITY
from clicktrail.job.decode import decode
from clicktrail.simulate import DUPLICATE, labelled_clicks

TOTALS = Totals(rows=10, row_sum="a", events=10, event_sum="b", dead_letters=2, dead_letter_sum="c")


def test_the_checksum_does_not_depend_on_the_order() -> None:
    digests = [digest([number, "text", None, 1.5]) for number in range(1000)]
    assert checksum(digests) == checksum(reversed(digests))
    assert len(checksum(digests)) == 16


def test_the_checksum_tells_a_lost_a_changed_and_a_doubled_row() -> None:
    digests = [digest([number, "text"]) for number in range(1000)]
    changed = [digest([7, "Text"]), *digests[:7], *digests[8:]]
    sums = {checksum(digests), checksum(digests[1:]), checksum(changed), checksum([*digests, digests[0]])}
    assert len(sums) == 4


def test_a_value_in_another_column_is_another_row() -> None:
    assert digest(["a", None]) != digest([None, "a"])
    assert digest(["ab", "c"]) != digest(["a", "bc"])
    assert digest([1]) != digest(["1"])


def test_no_value_and_an_empty_one_are_the_same_dead_letter() -> None:
    assert digest_bytes(None) == digest_bytes(b"") != digest_bytes(b"x")


def test_the_columns_are_fields_and_hold_the_identity() -> None:
    assert set(IDENTITY) <= set(COLUMNS) <= set(FIELD_NAMES)
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_differences_name_what_differs() -> None:
    assert TOTALS.differences(TOTALS) == ""
    said = replace(TOTALS, rows=9, event_sum="x").differences(TOTALS)
    assert said == "rows 9, not 10; event_sum x, not b"


@pytest.mark.parametrize("count", [1, 4, 7])
def test_token_ranges_cover_every_token_once(count: int) -> None:
    ranges = token_ranges(count)
    assert len(ranges) == count
    assert ranges[0][0] == -(2**63)
    assert ranges[-1][1] == 2**63 - 1
    assert all(before[1] == after[0] for before, after in pairwise(ranges))
    assert all(first < last for first, last in ranges)


def test_the_workload_is_what_is_promised() -> None:
    labels = Counter(label for _, _, label in labelled_clicks(Workload(10_000).order()))
    assert labels.pop("") == 9_700
    assert labels.pop(DUPLICATE) == 100
    assert labels.total() == 200


def test_other_work_has_another_topic() -> None:
    base = Workload(1000)
    others = [replace(base, **change) for change in ({"events": 2}, {"partitions": 1}, {"visitors": 9}, {"zipf": 0.0})]
    assert len({each.topic for each in (base, *others, replace(base, seed=2))}) == 6


def test_each_axis_of_the_scaling_changes_one_thing() -> None:
    found = points(100_000)
    assert {point.value for point in found if point.axis == "partitions"} == {1, 2, 4, 8}
    assert {point.value for point in found if point.axis == "workers"} == {1, 2}
    assert all(
        point.workload.events // point.workload.visitors == point.value for point in found if "a visitor" in point.axis
    )
    assert len({(point.axis, point.value) for point in found}) == len(found)


def test_the_key_of_an_event_is_its_primary_key() -> None:
    order = latency.Load("test", 100, 1).order
    value = next(value for _, value, label in labelled_clicks(order) if not label)
    user_id, day, event_time, event_id = latency.key_of(value)
    fields = decode(value, b"", 1_800_000_000_000, "t", 0, 0).fields
    assert fields is not None
    assert (user_id, event_time, event_id) == (fields["user_id"], fields["event_time"], fields["event_id"])
    assert day - 2**31 == event_time // 86_400_000
    with pytest.raises(ValueError, match="rejected"):
        latency.key_of(b"{}")
