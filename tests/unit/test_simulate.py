"""The simulated clicks: the same for the same order, in order, and like a shop's."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from clicktrail.enrich import user_agent
from clicktrail.errors import ClicktrailError
from clicktrail.events import DeadLetterReason
from clicktrail.job.decode import decode
from clicktrail.simulate import DUPLICATE, Order, clicks, end_of_run, labelled_clicks
from clicktrail.simulate.clock import Rhythm, milliseconds, stamp
from clicktrail.simulate.faults import KINDS, bad_message

RUN = "manual__2026-11-20T12:00:00+00:00"
NOW = milliseconds(datetime(2026, 11, 20, 12, tzinfo=UTC))


def events(order: Order) -> list[dict]:
    return [json.loads(value) for _, value in clicks(order)]


def test_the_same_order_gives_the_same_bytes():
    order = Order(7, RUN, 3000, invalid=0.05, duplicates=0.05)
    assert list(clicks(order)) == list(clicks(Order(7, RUN, 3000, invalid=0.05, duplicates=0.05)))


def test_another_run_sends_other_clicks_of_the_same_visitors():
    here, there = (
        events(Order(7, RUN, 3000, visitors=50)),
        events(Order(7, RUN.replace("20T", "21T"), 3000, visitors=50)),
    )
    assert not {event["messageId"] for event in here} & {event["messageId"] for event in there}
    assert {event["anonymousId"] for event in here} == {event["anonymousId"] for event in there}
    paths = [[event["context"]["page"]["path"] for event in run] for run in (here, there)]
    assert paths[0] != paths[1]
    strangers = events(Order(8, RUN, 3000, visitors=50))
    assert not {event["anonymousId"] for event in here} & {event["anonymousId"] for event in strangers}


@pytest.mark.parametrize("count", [0, 1, 2, 999])
def test_count_is_exact(count):
    assert len(list(clicks(Order(1, "any run", count, invalid=0.1, duplicates=0.1)))) == count


def test_ids_are_unique_and_times_in_order_within_the_window():
    found = events(Order(3, RUN, 20_000))
    times = [event["timestamp"] for event in found]
    assert len({event["messageId"] for event in found}) == 20_000
    assert times == sorted(times)
    assert times[0] >= "2026-11-19T12:00:00.000Z"
    assert times[-1] <= "2026-11-20T12:00:00.000Z"
    assert all(event["sentAt"] >= event["timestamp"] for event in found)


def test_a_short_window_is_kept_too():
    found = events(Order(3, "r", 500, end=datetime(2026, 3, 1, tzinfo=UTC), window=timedelta(minutes=1)))
    assert "2026-02-28T23:59:00.000Z" <= found[0]["timestamp"] <= found[-1]["timestamp"] <= "2026-03-01T00:00:00.000Z"


def test_the_key_is_the_visitor():
    pairs = [(key, json.loads(value)) for key, value in clicks(Order(2, RUN, 5000))]
    assert all(key == (event.get("userId") or event["anonymousId"]).encode() for key, event in pairs)
    assert any("userId" in event for _, event in pairs)


def test_every_event_is_accepted_and_the_shop_has_all_of_its_steps():
    names: Counter[str] = Counter()
    for number, (key, value) in enumerate(clicks(Order(5, RUN, 10_000))):
        decoded = decode(value, key, NOW, "user_clickstream", 0, number)
        assert decoded.reason is None, (decoded.detail, value)
        assert decoded.fields["user_id"] == key.decode()
        names[decoded.fields["event_name"] or decoded.fields["event_type"]] += 1
    walk = ["Home", "Product Viewed", "Product Added", "Checkout Started", "Order Completed"]
    assert min(names[step] for step in (*walk, "Products Searched", "Search", "Cart Viewed", "identify")) > 0
    assert names["Product Viewed"] > names["Product Added"] > names["Checkout Started"] > names["Order Completed"] > 0


def test_an_order_adds_up():
    orders = [event["properties"] for event in events(Order(5, RUN, 20_000)) if event.get("event") == "Order Completed"]
    assert len({order["order_id"] for order in orders}) == len(orders) > 10
    for order in orders:
        assert order["revenue"] == pytest.approx(sum(item["price"] * item["quantity"] for item in order["products"]))
        assert order["total"] == pytest.approx(order["revenue"] + order["shipping"])


def test_logging_in_joins_the_two_ids_of_a_visitor():
    found = events(Order(5, RUN, 20_000))
    identified = [event for event in found if event["type"] == "identify"]
    assert identified
    users = {event["anonymousId"]: event["userId"] for event in found if "userId" in event}
    assert all(users[event["anonymousId"]] == event["userId"] for event in identified)


def test_people_and_crawlers_come_from_everywhere():
    found = events(Order(5, RUN, 20_000))
    share = sum(user_agent(event["context"]["userAgent"]).is_bot for event in found) / len(found)
    assert 0.005 < share < 0.3
    campaigns = {event["context"]["campaign"]["source"] for event in found if "campaign" in event["context"]}
    assert {"newsletter", "google", "facebook", "chatgpt.com"} <= campaigns
    referrers = {event["context"]["page"].get("referrer") for event in found}
    assert {
        None,
        "https://www.google.com/",
        "https://www.perplexity.ai/",
        "https://www.reddit.com/r/BuyItForLife/",
    } <= referrers
    assert all("utm_source=" in event["context"]["page"]["url"] for event in found if "campaign" in event["context"])


def test_shares_are_exact_and_repeats_are_repeats():
    found = list(labelled_clicks(Order(4, RUN, 2000, invalid=0.1, duplicates=0.05)))
    labels = Counter(label for *_, label in found)
    assert labels[""] == 1700
    assert labels[DUPLICATE] == 100
    earlier: set[tuple] = set()
    for key, value, label in found:
        assert label != DUPLICATE or (key, value) in earlier
        earlier.add((key, value))


@pytest.mark.parametrize(("invalid", "duplicates"), [(1, 0), (0, 1), (0.5, 0.5)])
def test_extreme_shares(invalid, duplicates):
    labels = Counter(label for *_, label in labelled_clicks(Order(4, RUN, 40, invalid=invalid, duplicates=duplicates)))
    assert labels.total() == 40
    assert labels[DUPLICATE] == {0: 0, 1: 39, 0.5: 19}[duplicates]


@pytest.mark.parametrize("kind", DeadLetterReason)
def test_each_kind_of_bad_message_is_rejected_for_its_own_reason(kind):
    assert kind in KINDS
    key, value = bad_message(kind, "id-1", "visitor-1", NOW)
    assert decode(value, key, NOW, "user_clickstream", 0, 0).reason == kind.value
    assert len(value or b"") < 1_048_576 - 100_000 * (kind is not DeadLetterReason.RECORD_TOO_LARGE)


def test_bad_messages_fit_the_source_topic():
    assert all(
        len(value or b"") + len(key or b"") < 1_048_000 for key, value in (bad_message(k, "i", "v", NOW) for k in KINDS)
    )


@pytest.mark.parametrize(
    ("run", "end"),
    [
        ("manual__2026-11-21T12:25:13.123456+00:00", datetime(2026, 11, 21, 12, 25, 13, 123456, UTC)),
        ("scheduled__2026-11-21T00:00:00+00:00_x7Y", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-21T12:00Z", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("2026-11-21T12:00:00+02:00", datetime(2026, 11, 21, 10, tzinfo=UTC)),
    ],
)
def test_a_run_ends_at_the_time_in_its_id(run, end):
    assert end_of_run(run) == end


def test_a_run_without_a_time_ends_in_2025():
    assert end_of_run("nightly").year == 2025
    assert end_of_run("nightly") != end_of_run("weekly")


def test_visitors_come_by_the_rhythm_of_the_day():
    rhythm = Rhythm(0, 86_400_000)
    hours = Counter(rhythm.moment(share / 1000) // 3_600_000 for share in range(1000))
    assert hours[20] > hours[12] > hours[3] > 0
    assert rhythm.moment(0.0) == 0
    assert rhythm.moment(1.0) == 86_400_000


def test_stamp():
    assert stamp(1_700_000_000_007) == "2023-11-14T22:13:20.007Z"


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": -1},
        {"visitors": 0},
        {"invalid": 1.1},
        {"duplicates": -0.1},
        {"invalid": 0.6, "duplicates": 0.5},
        {"window": timedelta()},
    ],
)
def test_orders_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ClicktrailError):
        Order(**({"seed": 1, "run": "r", "count": 1} | wrong))
