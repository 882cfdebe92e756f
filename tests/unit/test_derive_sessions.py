"""Sessions, funnels, identities, traffic: the rules, and that the order of arrival changes nothing."""

import random
from datetime import date

import pytest

from clicktrail.job.derive.event import DAY, Event, day_of, iso, start_of
from clicktrail.job.derive.sessions import LONGEST, SILENCE, sessions

START = start_of(date(2026, 11, 20)) + 10 * 3_600_000
MINUTE = 60_000


def page(minute: float, path: str = "/", **more: object) -> Event:
    time = START + int(minute * MINUTE)
    given = {"user_id": "ann", "event_id": f"e{minute}", "event_type": "page", "site": "a.example", "page_path": path}
    return Event(**(given | {"time": time} | more))  # type: ignore[arg-type]


def order(minute: float, number: str | None, revenue: float) -> Event:
    return page(minute, event_type="track", event_name="Order Completed", order_id=number, revenue=revenue)


def starts(events: list[Event]) -> list[float]:
    return [(session.started_at.timestamp() * 1000 - START) / MINUTE for session in sessions(events, "ann")]


def test_thirty_minutes_of_silence_end_a_session() -> None:
    assert starts([page(0), page(29.999)]) == [0]
    assert starts([page(0), page(30)]) == [0, 30]
    assert SILENCE == 30 * MINUTE


def test_twenty_four_hours_end_a_session_that_never_falls_silent() -> None:
    events = [page(minute) for minute in range(0, 26 * 60, 20)]
    assert starts(events) == [0, 24 * 60]
    assert LONGEST == DAY


def test_another_campaign_ends_a_session_and_the_same_or_none_does_not() -> None:
    mail = {"campaign_source": "mail"}
    assert starts([page(0, **mail), page(1), page(2, **mail)]) == [0]
    assert starts([page(0), page(1, **mail)]) == [0, 1]
    assert starts([page(0, **mail), page(1, campaign_source="ads"), page(2, **mail)]) == [0, 1, 2]
    assert starts([page(0, click_id_type="gclid"), page(1, click_id_type="fbclid")]) == [0, 1]


def test_a_campaign_does_not_outlive_a_silence() -> None:
    mail = {"campaign_source": "mail"}
    assert starts([page(0, **mail), page(40), page(41, **mail)]) == [0, 40, 41]


def test_crawlers_sessions_are_apart() -> None:
    found = sessions([page(0), page(1, is_bot=True, event_id="b"), page(2)], "ann")
    assert [(session.is_bot, session.events) for session in found] == [(False, 2), (True, 1)]


def test_a_late_event_joins_two_sessions_and_an_earlier_one_extends_the_first() -> None:
    assert starts([page(0), page(50)]) == [0, 50]
    assert starts([page(0), page(50), page(25)]) == [0]
    assert starts([page(0), page(50), page(25), page(-5)]) == [-5]


def test_what_a_session_says() -> None:
    events = [
        page(0, "/landing", referrer_medium="search", referrer_source="Google", country="DE", device_type="mobile"),
        order(5, "o1", 19.99),
        order(6, "o1", 19.99),
        order(7, "o2", 0.02),
        order(8, None, 1.0),
        page(9.5, "/thanks"),
    ]
    (session,) = sessions(events, "visitor")
    assert session.user_id == "visitor"
    assert session.month == "2026-11"
    assert session.session_id.startswith("2026-11-20T10:00:00.000Z-")
    assert (session.events, session.pages, session.duration_seconds) == (6, 2, 570.0)
    assert (session.landing_site, session.landing_page, session.exit_page) == ("a.example", "/landing", "/thanks")
    assert (session.channel, session.referrer_source, session.country) == ("search", "Google", "DE")
    assert (session.device_type, session.bounce, session.is_bot) == ("mobile", False, False)
    assert (session.orders, session.revenue) == (3, 21.01)


def test_one_action_alone_is_a_bounce() -> None:
    assert sessions([page(0), page(1, event_type="identify")], "ann")[0].bounce
    assert not sessions([page(0), page(1, event_type="track")], "ann")[0].bounce
    assert not sessions([page(1, event_type="identify")], "ann")[0].bounce


@pytest.mark.parametrize(
    ("entry", "channel"),
    [
        ({"referrer_medium": "direct"}, "direct"),
        ({"referrer_medium": "mail"}, "email"),
        ({"referrer_medium": "other"}, "referral"),
        ({"referrer_medium": "ai_assistant"}, "ai_assistant"),
        ({"referrer_medium": "search", "click_id_type": "gclid"}, "paid"),
        ({"referrer_medium": "social", "click_id_type": "fbclid"}, "social"),
        ({"referrer_medium": "search", "campaign_source": "google", "campaign_medium": "CPC"}, "paid"),
        ({"campaign_source": "letter", "campaign_medium": "email"}, "email"),
        ({"campaign_source": "poster", "campaign_medium": "qr"}, "campaign"),
        ({}, "direct"),
    ],
)
def test_the_channel_of_an_entry(entry: dict[str, str], channel: str) -> None:
    assert sessions([page(0, **entry)], "ann")[0].channel == channel


def test_sessions_do_not_depend_on_the_order_of_arrival() -> None:
    source = random.Random(3)
    events = [
        page(
            source.randrange(0, 3000),
            event_id=f"e{n}",
            campaign_source=source.choice([None, None, None, "a", "b"]),
            is_bot=source.random() < 0.2,
        )
        for n in range(200)
    ]
    expected = sessions(events, "ann")
    assert len({session.session_id for session in expected}) == len(expected) > 20
    assert sum(session.events for session in expected) == 200
    for _ in range(10):
        source.shuffle(events)
        assert sessions(events, "ann") == expected


def test_times_as_text_and_days() -> None:
    assert iso(START + 7) == "2026-11-20T10:00:00.007Z"
    assert day_of(start_of(date(2015, 5, 17)) + DAY - 1) == date(2015, 5, 17)
