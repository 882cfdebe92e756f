from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from clicktrail.events import DeadLetterReason as Reason
from clicktrail.job import times
from clicktrail.job.strict_json import Rejected

MOMENT = 1_714_557_630_123  # 2024-05-01T10:00:30.123Z


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2024-05-01T10:00:30.123Z", MOMENT),
        ("2024-05-01T10:00:30.123456Z", MOMENT),
        ("2024-05-01T10:00:30.123999999Z", MOMENT),
        ("2024-05-01T10:00:30.123+00:00", MOMENT),
        ("2024-05-01T12:00:30.123+02:00", MOMENT),
        ("2024-05-01T04:30:30.123-05:30", MOMENT),
        ("2024-05-01 10:00:30.123", MOMENT),
        ("20240501T100030.123Z", MOMENT),
        ("2024-05-01T10:00:30Z", MOMENT - 123),
        ("2024-05-01T10:00Z", MOMENT - 30_123),
        ("2024-05-01", 1_714_521_600_000),
        (MOMENT, MOMENT),
        (float(MOMENT), MOMENT),
        (MOMENT + 0.75, MOMENT),
        ("2000-01-01T00:00:00Z", times.YEAR_2000),
        ("2024-02-29T23:59:59.999Z", 1_709_251_199_999),
    ],
)
def test_formats_of_time(given: object, expected: int) -> None:
    assert times.milliseconds(given, "timestamp") == expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", Reason.UNREADABLE_TIME),
        ("now", Reason.UNREADABLE_TIME),
        ("01/05/2024", Reason.UNREADABLE_TIME),
        ("2024-13-01", Reason.UNREADABLE_TIME),
        ("2023-02-29", Reason.UNREADABLE_TIME),
        ("2024-05-01T25:00:00Z", Reason.UNREADABLE_TIME),
        ("2024-05-01T10:00:30+99:00", Reason.UNREADABLE_TIME),
        ("+12024-05-01T10:00:30Z", Reason.UNREADABLE_TIME),
        ("1714557630123", Reason.UNREADABLE_TIME),
        (1_714_557_630, Reason.TIME_IN_SECONDS),
        (1_714_557_630.123, Reason.TIME_IN_SECONDS),
        (None, Reason.WRONG_TYPE),
        (True, Reason.WRONG_TYPE),
        ([], Reason.WRONG_TYPE),
        ({"$date": MOMENT}, Reason.WRONG_TYPE),
    ],
)
def test_what_is_no_time(given: object, reason: Reason) -> None:
    with pytest.raises(Rejected, match="timestamp") as rejected:
        times.milliseconds(given, "timestamp")
    assert rejected.value.reason is reason


def test_bounds() -> None:
    hour = 3_600_000
    assert times.checked(times.YEAR_2000, MOMENT) == times.YEAR_2000
    assert times.checked(MOMENT + hour, MOMENT) == MOMENT + hour
    for outside, reason in (
        (times.YEAR_2000 - 1, Reason.TIME_BEFORE_2000),
        (-(10**30), Reason.TIME_BEFORE_2000),
        (MOMENT + hour + 1, Reason.TIME_IN_FUTURE),
        (10**30, Reason.TIME_IN_FUTURE),
    ):
        with pytest.raises(Rejected) as rejected:
            times.checked(outside, MOMENT)
        assert rejected.value.reason is reason


def test_texts_of_times() -> None:
    assert times.iso(MOMENT) == "2024-05-01T10:00:30.123Z"
    assert times.iso(times.YEAR_2000) == "2000-01-01T00:00:00.000Z"
    assert times.iso(times.YEAR_10000 - 1) == "9999-12-31T23:59:59.999Z"


def test_days_as_dates() -> None:
    assert times.as_date(0) == date(1970, 1, 1)
    assert times.as_date(19_844) == date(2024, 5, 1)
    assert times.as_date((times.YEAR_10000 - 1) // times.MILLISECONDS_A_DAY) == date(9999, 12, 31)


def test_later_records_of_one_millisecond_have_later_write_times() -> None:
    assert times.write_time(MOMENT, 7) < times.write_time(MOMENT, 8) < times.write_time(MOMENT + 1, 7)
    assert times.write_time(MOMENT, 10**12 + 999) < times.write_time(MOMENT + 1, 0)


@pytest.mark.parametrize("seed", range(4))
def test_time_is_the_same_after_text_and_back(seed: int) -> None:
    source = random.Random(seed)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    for _ in range(500):
        moment = source.randrange(times.YEAR_2000, times.YEAR_10000)
        text = times.iso(moment)
        assert times.milliseconds(text, "timestamp") == moment
        assert text == (epoch + timedelta(milliseconds=moment)).isoformat(timespec="milliseconds").replace(
            "+00:00", "Z"
        )
        days = moment // times.MILLISECONDS_A_DAY
        assert times.as_date(days).isoformat() == text[:10]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-05-01",
        "2024-05-01 10:00:30.123Z",
        "2024-05-01t10:00:30.123Z",
        "2024-05-01T10:00:30.12\u0663Z",
        "2024-05-01T10:00:30,123Z",
        "2024-05-01T10:00:30.123z",
        "2024-05-01T10:00:30.1234Z",
        "2024-05-01T10:00:30.123Z ",
        "2024-13-01T10:00:30.123Z",
        "2024-05-01T10+05:00.123Z",
        "20240501T10003012.123Z",
        "0099-05-01T10:00:30.123Z",
    ],
)
def test_other_texts_are_not_canonical(text: str) -> None:
    assert times.canonical(text) is None


def test_canonical_text_is_what_iso_writes() -> None:
    source = random.Random(3)
    for moment in [MOMENT, -1, 0, times.YEAR_10000 - 1, *(source.randrange(times.YEAR_10000) for _ in range(1_000))]:
        assert times.canonical(times.iso(moment)) == moment
