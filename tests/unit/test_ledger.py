from __future__ import annotations

import pytest

from clicktrail.job.ledger import Entry, entries, missing
from clicktrail.job.report import Tally


def done(partition: int, first: int, last: int) -> Entry:
    return Entry(partition=partition, first_offset=first, last_offset=last, good=last - first + 1)


def test_one_entry_a_partition() -> None:
    tallies = [
        Tally(2, None, 3, 104, 107, repeats=1, late=2),
        Tally(2, "not_json", 2, 101, 103),
        Tally(0, "wrong_type", 1, 7, 7),
        # of another share
        Tally(2, None, 2, 100, 105, repeats=3),
        Tally(2, "not_json", 1, 106, 106),
        Tally(2, "null_value", 1, 108, 108),
    ]
    assert entries(tallies) == [
        Entry(partition=0, first_offset=7, last_offset=7, good=0, rejected={"wrong_type": 1}),
        Entry(
            partition=2,
            first_offset=100,
            last_offset=108,
            good=5,
            rejected={"not_json": 3, "null_value": 1},
            repeats=4,
            late=2,
        ),
    ]
    assert [entry.events_read for entry in entries(tallies)] == [1, 9]


def test_no_records_no_entries() -> None:
    assert entries([]) == []


@pytest.mark.parametrize(
    ("ranges", "gaps"),
    [
        ([], [(10, 20)]),
        ([(10, 19)], []),
        ([(0, 100)], []),
        ([(0, 9), (20, 30)], [(10, 20)]),
        ([(10, 14), (15, 19)], []),
        ([(15, 19), (10, 14)], []),
        ([(10, 13), (16, 17)], [(14, 16), (18, 20)]),
        ([(5, 12), (11, 15), (12, 13), (18, 25)], [(16, 18)]),
        ([(19, 19)], [(10, 19)]),
        ([(10, 10)], [(11, 20)]),
    ],
)
def test_gaps_of_a_window(ranges: list[tuple[int, int]], gaps: list[tuple[int, int]]) -> None:
    entered = [done(1, first, last) for first, last in ranges]
    assert missing([*entered, done(0, 0, 1_000)], 1, 10, 20) == gaps


def test_empty_window_is_always_covered() -> None:
    assert missing([], 0, 5, 5) == []
