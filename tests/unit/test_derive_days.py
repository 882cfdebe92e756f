"""Which days hang together, funnels, claims, sums of days, ranks."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from clicktrail.errors import ClicktrailError
from clicktrail.job.derive import funnels, traffic, visitor
from clicktrail.job.derive.event import Event, start_of
from clicktrail.job.derive.funnels import Funnel, Step, steps, tries
from clicktrail.job.derive.identity import Claim, claims, owner
from clicktrail.job.derive.pending import Pending
from clicktrail.job.derive.top_pages import ranked
from clicktrail.job.derive.visits import _months

DAY = date(2026, 11, 20)
NEXT = DAY + timedelta(days=1)
BEFORE = DAY - timedelta(days=1)
MINUTE = 60_000
SHOP = funnels.load()[0]


def event(minute: float, name: str | None = None, **more: object) -> Event:
    kind = {"event_type": "track", "event_name": name} if name else {"event_type": "page", "page_path": "/"}
    given = {"user_id": "ann", "event_id": f"e{minute}{name}", "time": start_of(DAY) + int(minute * MINUTE)}
    return Event(**(given | kind | more))  # type: ignore[arg-type]


def test_the_shops_funnel_ships() -> None:
    assert SHOP.name == "shop"
    assert [step.event for step in SHOP.steps] == [
        "Product Viewed",
        "Product Added",
        "Checkout Started",
        "Order Completed",
    ]
    assert SHOP.window == 60 * MINUTE


def test_the_try_that_got_farthest_counts() -> None:
    events = [
        event(0, "Product Viewed"),
        event(50, "Product Viewed"),
        event(55, "Product Added"),
        event(70, "Checkout Started"),
    ]
    assert tries(events, SHOP) == {DAY: [0, 5 * MINUTE, 15 * MINUTE]}


def test_steps_count_in_their_order_and_within_the_window_only() -> None:
    assert tries([event(0, "Product Added"), event(1, "Product Viewed")], SHOP) == {DAY: [0]}
    assert tries([event(0, "Product Viewed"), event(60, "Product Added")], SHOP) == {DAY: [0, 60 * MINUTE]}
    assert tries([event(0, "Product Viewed"), event(60.1, "Product Added")], SHOP) == {DAY: [0]}
    assert tries([event(0, "Product Viewed", is_bot=True)], SHOP) == {}


def test_a_try_belongs_to_the_day_it_began_on() -> None:
    events = [event(1430, "Product Viewed"), event(1450, "Product Added"), event(1451, "Product Viewed")]
    assert tries(events, SHOP) == {DAY: [0, 20 * MINUTE], NEXT: [0]}


def test_a_funnels_day() -> None:
    rows = steps(SHOP, [[0], [0, 2000], [0, 5000, 1000], [0, 4500]])
    assert [(row.step, row.name, row.visitors, row.conversion, row.median_seconds) for row in rows] == [
        (1, "product", 4, 1.0, None),
        (2, "cart", 3, 0.75, 4.5),
        (3, "checkout", 1, 0.25, 1.0),
        (4, "order", 0, 0.0, None),
    ]


def test_a_step_may_be_a_page() -> None:
    funnel = Funnel("read", (Step("home", page="/"), Step("offer", page="/offer")), MINUTE)
    assert tries([event(0), event(0.5, page_path="/offer")], funnel) == {DAY: [0, MINUTE // 2]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[[funnel]]",
        '[[funnel]]\nname = "a"\nwindow = "soon"\nsteps = [{name = "x", event = "y"}]',
        '[[funnel]]\nname = "a"\nwindow = "48 hours"\nsteps = [{name = "x", event = "y"}]',
        '[[funnel]]\nname = "a"\nwindow = "1 hour"\nsteps = [{name = "x"}]',
        '[[funnel]]\nname = "a"\nwindow = "1 hour"\nsteps = [{name = "x", event = "y"}]\n' * 2,
    ],
)
def test_a_file_that_declares_no_funnel_is_said(text: str, tmp_path: Path) -> None:
    file = tmp_path / "funnels.toml"
    file.write_text(text)
    with pytest.raises(ClicktrailError, match=r"funnels\.toml"):
        funnels.load(file)


def test_days_hang_together_over_midnight_where_events_are_close() -> None:
    loaded = {DAY: [event(10), event(1435)], BEFORE: [event(-5)], NEXT: [event(1500)]}
    days = {DAY}
    assert visitor.missing_neighbours(loaded, days, 30 * MINUTE) == set()
    assert days == {BEFORE, DAY}  # the next day's first event is 65 minutes away


def test_a_day_whose_events_are_close_to_midnight_asks_for_its_neighbour() -> None:
    assert visitor.missing_neighbours({DAY: [event(29)]}, {DAY}, 30 * MINUTE) == {BEFORE}
    assert visitor.missing_neighbours({DAY: [event(31)]}, {DAY}, 30 * MINUTE) == set()
    assert visitor.missing_neighbours({DAY: [event(1420)]}, {DAY}, 30 * MINUTE) == {NEXT}
    assert visitor.missing_neighbours({DAY: []}, {DAY}, 30 * MINUTE) == set()


def test_the_longest_funnel_says_how_far_days_reach() -> None:
    assert visitor.reach([]) == 30 * MINUTE
    assert visitor.reach([SHOP]) == 60 * MINUTE


def test_parts_count_events_by_their_day_and_sessions_by_their_start() -> None:
    late, early = event(1435), event(1450)
    derived = visitor.derive({DAY: [late], NEXT: [early]}, "ann", [SHOP])
    assert len(derived.sessions) == 1
    assert derived.parts[DAY]["sessions"] == 1
    assert "sessions" not in derived.parts[NEXT]
    assert (derived.parts[DAY]["views"], derived.parts[NEXT]["views"]) == (1, 1)
    assert visitor.derive({DAY: []}, "ann", [SHOP]).parts == {DAY: {}}


def test_a_days_sum() -> None:
    people = visitor.derive({DAY: [event(600, site="a.example"), event(601)]}, "ann", []).parts[DAY]
    bots = visitor.derive({DAY: [event(600, is_bot=True)]}, "bot", []).parts[DAY]
    row = traffic.total(DAY, [people, bots, {}])
    assert row is not None
    assert (row.events, row.views, row.visitors, row.sessions, row.bounces) == (2, 2, 1, 1, 0)
    assert (row.bot_events, row.bot_views, row.bot_visitors) == (1, 1, 1)
    assert row.views_by_hour[10] == 2
    assert row.views_by_site == {"a.example": 1, "unknown": 1}
    assert row.session_seconds == 60.0
    assert traffic.total(DAY, [{}]) is None


def test_the_earliest_claim_holds() -> None:
    first = event(5, event_type="identify", user_id="u1", anonymous_id="anon")
    again = event(6, event_type="identify", user_id="u1", anonymous_id="anon")
    alias = event(1, event_type="alias", user_id="u2", previous_id="anon")
    itself = event(0, event_type="identify", user_id="anon", anonymous_id="anon")
    long = event(0, event_type="identify", user_id="u3", anonymous_id="x" * 1025)
    found = claims([again, first, alias, itself, long, event(0)])
    assert found == {"anon": Claim(alias.time, alias.event_id, "u2", "anon")}
    assert owner([Claim(5, "b", "u1", "anon"), Claim(5, "a", "u2", "anon")]) == Claim(5, "a", "u2", "anon")
    assert owner([]) is None


def test_ranks_by_views_then_path_and_no_more_than_a_hundred() -> None:
    assert ranked({"/b": 2, "/a": 2, "/c": 3, "/d": 0}) == [(1, "/c", 3), (2, "/a", 2), (3, "/b", 2)]
    assert len(ranked({f"/{n}": 1 for n in range(150)})) == 100


def test_days_are_cut_by_month() -> None:
    assert list(_months(visitor.runs([date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 31)]))) == [
        ("2026-11", date(2026, 11, 30), date(2026, 12, 1)),
        ("2026-12", date(2026, 12, 1), date(2026, 12, 2)),
        ("2026-12", date(2026, 12, 31), date(2027, 1, 1)),
    ]


def test_notes_are_worked_on_in_pieces_that_leave_nobody_out() -> None:
    notes = Pending({f"v{n}": {DAY} for n in range(5)}, {"v3": {DAY}}, {"anon": {"user"}})
    parts = list(notes.parts(2))
    assert [sorted(part.visitors) for part in parts] == [["v0", "v1"], ["v2", "v3"], ["v4"]]
    assert [part.claims for part in parts] == [{}, {"v3": {DAY}}, {}]
    assert [part.identities for part in parts] == [{"anon": {"user"}}, {}, {}]
    assert [part.identities for part in Pending(identities={"anon": set()}).parts(2)] == [{"anon": set()}]
