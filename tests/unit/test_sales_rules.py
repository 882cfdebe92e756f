"""The rules of the daily sales: what is sold, what is rejected and why, what is left to another day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from clicktrail.errors import ClicktrailError
from clicktrail.sales.aggregate import figures, tables_of
from clicktrail.sales.days import bounds, sales_day
from clicktrail.sales.money import Rates, read_rates, to_cent
from clicktrail.sales.records import RawLine, Reason, as_text
from clicktrail.sales.rules import CleanDay, clean

DAY = date(2026, 10, 5)
RATES = Rates([(date(2000, 1, 1), "EUR", Decimal(1)), (date(2000, 1, 1), "USD", Decimal("0.92"))])
CATALOGUE = {"K01": ("Enamel Kettle", "Kitchen")}
GOOD = RawLine(
    source="api",
    place="page 1 item 1",
    filed_under="2026-10-05",
    order_id="A-1",
    line="1",
    kind="sale",
    sold_at="2026-10-05T12:00:00Z",
    product_id="K01",
    product_name="ENAMEL KETTLE",
    category="",
    channel="App",
    country="de",
    currency="EUR",
    quantity="2",
    unit_price="39.90",
    updated_at="2026-10-05T12:05:00Z",
)


def cleaned(*lines: RawLine) -> CleanDay:
    return clean(DAY, lines, CATALOGUE, RATES)


def test_a_good_line() -> None:
    result = cleaned(GOOD)
    assert (result.rejected, result.other_days) == ([], 0)
    (sale,) = result.sold
    assert sale.net_eur == Decimal("79.80")
    assert (sale.product_name, sale.category, sale.channel, sale.country) == ("Enamel Kettle", "Kitchen", "app", "DE")
    assert sale.sold_at == datetime(2026, 10, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"order_id": None}, Reason.MISSING_FIELD),
        ({"line": ""}, Reason.MISSING_FIELD),
        ({"product_id": "  "}, Reason.MISSING_FIELD),
        ({"quantity": None}, Reason.MISSING_FIELD),
        ({"unit_price": ""}, Reason.MISSING_FIELD),
        ({"currency": None}, Reason.MISSING_FIELD),
        ({"sold_at": None}, Reason.MISSING_FIELD),
        ({"sold_at": "yesterday"}, Reason.UNREADABLE_TIME),
        ({"updated_at": "99.99.2026"}, Reason.UNREADABLE_TIME),
        ({"order_id": "test-7"}, Reason.TEST_ORDER),
        ({"quantity": "two"}, Reason.UNREADABLE_NUMBER),
        ({"quantity": "1.5"}, Reason.UNREADABLE_NUMBER),
        ({"quantity": "NaN"}, Reason.UNREADABLE_NUMBER),
        ({"unit_price": "free"}, Reason.UNREADABLE_NUMBER),
        ({"unit_price": "Infinity"}, Reason.UNREADABLE_NUMBER),
        ({"quantity": "0"}, Reason.ZERO_QUANTITY),
        ({"quantity": "10001"}, Reason.IMPLAUSIBLE_QUANTITY),
        ({"quantity": "1e999999"}, Reason.IMPLAUSIBLE_QUANTITY),
        ({"unit_price": "-1"}, Reason.NEGATIVE_PRICE),
        ({"unit_price": "1000000.01"}, Reason.IMPLAUSIBLE_PRICE),
        ({"unit_price": "1e30"}, Reason.IMPLAUSIBLE_PRICE),
        ({"unit_price": "1.00001"}, Reason.IMPLAUSIBLE_PRICE),
        ({"currency": "XTS"}, Reason.UNKNOWN_CURRENCY),
    ],
)
def test_what_is_rejected(changes: dict[str, str | None], reason: Reason) -> None:
    result = cleaned(replace(GOOD, **changes))
    assert result.sold == []
    assert [line.reason for line in result.rejected] == [reason]
    assert result.rejected[0].detail
    assert '"source": "api"' in result.rejected[0].raw


@pytest.mark.parametrize(
    ("changes", "sold", "other"),
    [
        ({"sold_at": "2026-10-05T23:59:59.999Z"}, 1, 0),
        ({"sold_at": "2026-10-06T00:00:00Z"}, 0, 1),
        ({"sold_at": "2026-10-06T01:30:00+02:00"}, 1, 0),
        ({"sold_at": "2026-10-04T21:00:00", "time_zone": "America/New_York"}, 1, 0),
        ({"sold_at": "2026-10-05T20:00:00", "time_zone": "America/New_York"}, 0, 1),
        ({"sold_at": "2026-10-05T01:59:59", "time_zone": "Europe/Berlin"}, 0, 1),
        ({"sold_at": "2026-10-05T02:00:00", "time_zone": "Europe/Berlin"}, 1, 0),
        ({"sold_at": None, "filed_under": "2026-10-04"}, 0, 1),
    ],
)
def test_a_line_is_of_the_utc_day_of_its_time(changes: dict[str, str | None], sold: int, other: int) -> None:
    result = cleaned(replace(GOOD, **changes))
    assert (len(result.sold), result.other_days) == (sold, other)


def test_of_an_hour_that_clocks_repeat_the_first_is_meant() -> None:
    line = replace(GOOD, sold_at="2026-10-25T02:30:00", time_zone="Europe/Berlin", updated_at=None)
    (sale,) = clean(date(2026, 10, 25), [line], CATALOGUE, RATES).sold
    assert sale.sold_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_returns_are_negative() -> None:
    by_kind = replace(GOOD, kind="return")
    by_sign = replace(GOOD, kind=None, quantity="-2", order_id="A-2")
    both = replace(GOOD, kind="return", quantity="-2", order_id="A-3")
    sold = cleaned(by_kind, by_sign, both).sold
    assert [(line.kind, line.quantity, line.net_eur) for line in sold] == [("return", -2, Decimal("-79.80"))] * 3


def test_a_sale_and_its_return_are_no_copies() -> None:
    result = cleaned(GOOD, replace(GOOD, kind="return"))
    assert {line.kind for line in result.sold} == {"sale", "return"}


def test_the_copy_that_was_changed_last_counts() -> None:
    newer = replace(GOOD, source="files", place="x.csv line 2", unit_price="41", updated_at="2026-10-05T12:06:00Z")
    for lines in ((GOOD, newer), (newer, GOOD)):
        result = cleaned(*lines)
        assert [line.net_eur for line in result.sold] == [Decimal("82.00")]
        assert [(line.reason, line.place) for line in result.rejected] == [("duplicate", "page 1 item 1")]
        assert "x.csv line 2" in result.rejected[0].detail


def test_of_equally_new_copies_the_more_trusted_source_counts() -> None:
    database = replace(GOOD, source="database", place="booking 1", unit_price="40")
    files = replace(GOOD, source="files", place="x.csv line 2", unit_price="42")
    result = cleaned(files, GOOD, database)
    assert [line.place for line in result.sold] == ["booking 1"]
    assert [line.place for line in result.rejected] == ["page 1 item 1", "x.csv line 2"]


def test_a_broken_copy_does_not_displace_a_good_line() -> None:
    broken = replace(GOOD, source="database", quantity="0", updated_at="2026-10-05T13:00:00Z")
    result = cleaned(GOOD, broken)
    assert len(result.sold) == 1
    assert [line.reason for line in result.rejected] == [Reason.ZERO_QUANTITY]


def test_every_line_leaves() -> None:
    lines = [GOOD, GOOD, replace(GOOD, quantity="0"), replace(GOOD, sold_at="2026-10-09T00:00:00Z")]
    result = cleaned(*lines)
    assert len(result.sold) + len(result.rejected) + result.other_days == len(lines)


def test_what_is_missing_without_cost_is_unknown() -> None:
    line = replace(GOOD, product_id="Z9", product_name=None, category=" ", channel=None, country="Germany")
    (sale,) = cleaned(line).sold
    assert (sale.product_name, sale.category, sale.channel, sale.country) == ("unknown",) * 4


@pytest.mark.parametrize(
    ("amount", "cents"), [("0.005", "0.01"), ("0.0049", "0.00"), ("-0.005", "-0.01"), ("2.675", "2.68")]
)
def test_half_a_cent_is_rounded_away_from_zero(amount: str, cents: str) -> None:
    assert to_cent(Decimal(amount)) == Decimal(cents)


def test_each_line_is_converted_and_rounded_by_itself() -> None:
    line = replace(GOOD, currency="usd", quantity="1", unit_price="10.01")  # 9.2092
    result = cleaned(line, replace(line, order_id="A-2"), replace(line, order_id="A-3"))
    assert figures(result.sold)["net_eur"] == Decimal("27.63")  # and not 27.6276 rounded


def test_a_rate_holds_until_the_next(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("from_day,currency,eur\n2026-10-05,usd,0.95\n2026-10-01,USD,0.90\n")
    rates = read_rates(file)
    days = (date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 4), date(2026, 10, 5), date(2027, 1, 1))
    assert [rates.on("USD", day) for day in days] == [
        None,
        Decimal("0.90"),
        Decimal("0.90"),
        Decimal("0.95"),
        Decimal("0.95"),
    ]
    assert rates.on("CHF", DAY) is None


@pytest.mark.parametrize("line", ["2026-13-01,USD,1", "2026-01-01,USD,-1", "2026-01-01,USD,NaN", "2026-01-01,USD"])
def test_a_broken_rate_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(f"from_day,currency,eur\n2026-01-01,EUR,1\n{line}\n")
    with pytest.raises(ClicktrailError, match="Line 3"):
        read_rates(file)


def test_the_shipped_rates_have_the_three_currencies() -> None:
    rates = read_rates()
    assert [rates.on(name, DAY) for name in ("EUR", "GBP", "USD")] == [Decimal("1"), Decimal("1.1650"), Decimal("0.92")]


def test_figures_and_tables() -> None:
    other = replace(
        GOOD, order_id="A-2", product_id="Z9", product_name="Hat", category="Wear", country="US", quantity="1"
    )
    back = replace(GOOD, order_id="A-0", kind="return", quantity="1", channel="store")
    result = cleaned(GOOD, replace(GOOD, line="2", quantity="3"), other, back, replace(GOOD, quantity="0"))
    tables = tables_of(DAY, result, 5)
    assert tables["sales_by_day"] == [
        {
            "day": DAY,
            "orders": 2,
            "units": 6,
            "gross_eur": Decimal("239.40"),
            "units_returned": 1,
            "returned_eur": Decimal("39.90"),
            "net_eur": Decimal("199.50"),
            "lines_read": 5,
            "lines_rejected": 1,
        }
    ]
    assert [(row["product_id"], row["net_eur"]) for row in tables["sales_by_product"]] == [
        ("K01", Decimal("159.60")),
        ("Z9", Decimal("39.90")),
    ]
    assert [(row["channel"], row["orders"], row["net_eur"]) for row in tables["sales_by_channel"]] == [
        ("app", 2, Decimal("239.40")),
        ("store", 0, Decimal("-39.90")),
    ]
    for name in ("product", "category", "channel", "country"):
        assert sum(row["net_eur"] for row in tables[f"sales_by_{name}"]) == Decimal("199.50")


@pytest.mark.parametrize(
    ("param", "logical", "day"),
    [
        ("2026-10-05", datetime(2026, 11, 1, tzinfo=UTC), date(2026, 10, 5)),
        (None, datetime(2026, 11, 1, 6, tzinfo=UTC), date(2026, 10, 31)),
        (None, None, date(2026, 11, 19)),
        ("", datetime.fromisoformat("2026-11-01T00:30:00+02:00"), date(2026, 10, 30)),
    ],
)
def test_which_day_a_run_is_about(param: str | None, logical: datetime | None, day: date) -> None:
    assert sales_day(param, logical, datetime(2026, 11, 20, 6, tzinfo=UTC)) == day


def test_bounds_are_of_the_utc_day() -> None:
    start, end = bounds(DAY)
    assert (start.isoformat(), (end - start).total_seconds()) == ("2026-10-05T00:00:00+00:00", 86_400)


def test_text_that_no_store_takes_is_made_harmless() -> None:
    assert as_text("a\0b\ud800c") == "ab?c"
    assert as_text(None) is None
    assert as_text(12) == "12"
