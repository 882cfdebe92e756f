"""What the shares of a batch tell the driver, put together."""

from __future__ import annotations

from clicktrail.job.page_calls import PageMinute, Views
from clicktrail.job.report import Report, Tally

A, B, C = (PageMinute("a.example", path, 0) for path in ("/a", "/b", "/c"))


def test_reports_of_the_shares_are_one_report() -> None:
    one = Report([Tally(0, None, 2, 0, 5)], {A: Views(2, 1, 2), B: Views(1, 0, 1)}, {C: ["x1"]}, {B}, 2)
    two = Report(
        [Tally(0, None, 1, 1, 1), Tally(0, "not_json", 1, 2, 2)], {A: Views(3, 0, 1)}, {C: ["x2"], A: ["x3"]}, {C}, 1
    )
    packed = [one.packed(), two.packed(), Report().packed()]
    whole = Report.together(packed)
    assert whole.tallies == [Tally(0, None, 2, 0, 5), Tally(0, None, 1, 1, 1), Tally(0, "not_json", 1, 2, 2)]
    assert whole.views == {A: Views(5, 1, 3), B: Views(1, 0, 1)}
    assert whole.gone == {C: ["x1", "x2"], A: ["x3"]}
    assert whole.uncertain == {B, C}
    assert whole.held == 3
    assert Report.together(packed) == whole  # nothing was taken out of them


def test_a_batch_without_records_has_an_empty_report() -> None:
    assert Report.together([]) == Report()
