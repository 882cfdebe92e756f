from __future__ import annotations

import datetime as dt

import pytest

from clicktrail import dead_letters
from clicktrail.commands.dead_letters import _plain, _shown, moment
from clicktrail.dead_letters import DeadLetter
from clicktrail.errors import ClicktrailError

NOW = dt.datetime(2026, 11, 21, 12, 30, 5, tzinfo=dt.UTC)


def letter(reason: str = "not_json", original: bytes | None = b"{") -> DeadLetter:
    return DeadLetter(NOW, "clicks", 1, 7, reason, "why", b"u1", original)


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        ("2026-11-21T09:59", "2026-11-21T10:00", 2),
        ("2026-11-21T09:00", "2026-11-21T09:59", 1),
        ("2026-11-20", "2026-11-21", 25),
    ],
)
def test_hours_that_a_range_touches(start: str, end: str, count: int) -> None:
    found = dead_letters.hours(moment(start, NOW), moment(end, NOW))
    assert len(found) == count
    assert found[0] <= moment(start, NOW) < found[0] + dt.timedelta(hours=1)
    assert found[-1] <= moment(end, NOW) < found[-1] + dt.timedelta(hours=1)


def test_hours_are_utc_whatever_the_zone() -> None:
    start = dt.datetime.fromisoformat("2026-11-21T05:15:00+05:30")
    assert dead_letters.hours(start, start) == [dt.datetime(2026, 11, 20, 23, tzinfo=dt.UTC)]


def test_ranges_that_cannot_be() -> None:
    with pytest.raises(ClicktrailError, match="before it begins"):
        dead_letters.hours(NOW, NOW - dt.timedelta(seconds=1))
    with pytest.raises(ClicktrailError, match="over a year"):
        dead_letters.hours(NOW - dt.timedelta(days=400), NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("90m", NOW - dt.timedelta(minutes=90)),
        ("24h", NOW - dt.timedelta(days=1)),
        ("7d", NOW - dt.timedelta(days=7)),
        ("2026-11-21T09", dt.datetime(2026, 11, 21, 9, tzinfo=dt.UTC)),
        ("2026-11-21T09:00:00+01:00", dt.datetime(2026, 11, 21, 8, tzinfo=dt.UTC)),
    ],
)
def test_moments(text: str, expected: dt.datetime) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "h", "99999999999d"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ClicktrailError, match="is no time"):
        moment(text, NOW)


def test_reasons_are_those_of_the_enumeration() -> None:
    assert dead_letters.checked_reason("too_deep") == "too_deep"
    assert dead_letters.checked_reason(None) is None
    with pytest.raises(ClicktrailError, match="there are: null_value"):
        dead_letters.checked_reason("bad")


def test_counts_by_reason() -> None:
    letters = [letter("b"), letter("a"), letter("c"), letter("c")]
    assert list(dead_letters.by_reason(letters).items()) == [("c", 2), ("a", 1), ("b", 1)]


@pytest.mark.parametrize(
    ("original", "shown"),
    [
        (None, "(null)"),
        (b"", ""),
        (b"\xff\x00a\x1b[31m", "\\xff\\x00a\\x1b[31m"),
        ("é€".encode(), "é€"),
        (b"x" * 300, "x" * 60 + "…"),
    ],
)
def test_originals_are_shown_inert(original: bytes | None, shown: str) -> None:
    assert _shown(original) == shown


def test_json_keeps_what_is_no_text() -> None:
    assert _plain(letter(original=b"\xff{"))["original"] == "\\xff{"
    assert _plain(letter(original=None))["original"] is None
