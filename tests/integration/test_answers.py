"""Every answer equals a recount of the raw messages: in order, shuffled over runs, replayed.

``ANSWERS_CLICKS`` (3000) is how many clicks are simulated, ``ANSWERS_RUNS`` (2) over how many runs of the job,
``ANSWERS_SHUFFLED`` (1; 0: in order), ``ANSWERS_REPLAYS`` (1) how often all of it comes once more.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cassandra.cluster import Session
from cassandra.query import SimpleStatement
from rich.console import Console

from clicktrail import store
from clicktrail.replay.pace import Pace
from clicktrail.replay.run import find_format, replay
from clicktrail.report import figures as report
from clicktrail.report.page import render
from clicktrail.sending import Sender
from clicktrail.settings import Settings
from clicktrail.simulate import Order, clicks
from tests.integration.recount.answers import Answers
from tests.integration.support import run_job

pytestmark = pytest.mark.integration

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CLICKS = int(os.environ.get("ANSWERS_CLICKS", "3000"))
RUNS = int(os.environ.get("ANSWERS_RUNS", "2"))
SHUFFLED = os.environ.get("ANSWERS_SHUFFLED", "1") == "1"
REPLAYS = int(os.environ.get("ANSWERS_REPLAYS", "1"))
END = datetime(2024, 11, 21, 0, 20, tzinfo=UTC)
Message = tuple[bytes | None, bytes]


class Kept:
    """Takes the messages of a replay."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, key: bytes | None, value: bytes | None) -> None:
        assert value is not None
        self.messages.append((key, value))


def simulated() -> list[Message]:
    """Clicks around midnight; few visitors, so that they come again and log in now and then."""
    order = Order(
        11, "answers", CLICKS, visitors=max(40, CLICKS // 30), end=END, window=timedelta(hours=30), duplicates=0.02
    )
    return [(key, value) for key, value in clicks(order) if value is not None]


def replayed() -> list[Message]:
    kept = Kept()
    replay(DATA / "web_access.log", find_format("combined-log", "semicomplete.com"), kept, Pace(0))
    replay(DATA / "otto_sessions.jsonl", find_format("otto"), kept, Pace(0))
    return kept.messages


def awkward() -> list[Message]:
    """What the sources lack: sessions over midnight and 24 hours, two owners of an id, alias, a crawler, click ids."""
    made: list[Message] = []

    def event(minute: float, kind: str, visitor: str, **more: Any) -> None:
        at = datetime(2024, 11, 30, 23, 0, tzinfo=UTC) + timedelta(minutes=minute)
        raw = {"type": kind, "messageId": f"a{len(made)}", "timestamp": at.isoformat(timespec="milliseconds")}
        who = {"userId": visitor} if visitor.startswith("user-") else {"anonymousId": visitor}
        made.append((visitor.encode(), json.dumps(raw | who | more).encode()))

    def page(minute: float, visitor: str, path: str, search: str = "", **context: Any) -> None:
        url = {"url": f"https://odd.example{path}{search}", "path": path, "search": search}
        event(minute, "page", visitor, context={"page": url} | context)

    for minute in range(0, 26 * 60, 20):
        page(minute, "restless", f"/{minute % 7}")
    for minute in (0, 29, 58, 62, 95, 125):  # 29 minutes go on, 30 are silence; midnight lies in between
        page(minute, "midnight", "/late")
    page(200, "midnight", "/mail", "?gclid=1")
    page(201, "midnight", "/mail", "?fbclid=1")
    page(202, "midnight", "/mail", "?utm_source=a&utm_medium=cpc&gclid=2")
    page(203, "midnight", "/next")
    for minute in (10, 35, 55, 61, 80):
        page(minute, "shared", "/sofa")
        page(minute + 4, "user-1", "/desk")
    event(90, "identify", "user-2", anonymousId="shared")
    event(40, "identify", "user-1", anonymousId="shared")
    event(1300, "alias", "user-3", previousId="user-2")
    page(1310, "user-2", "/moved")
    googlebot = {
        "userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "ip": "66.249.66.1",
    }
    page(70, "midnight", "/robots", **googlebot)
    for number, name in enumerate(
        ("Product Viewed", "Product Added", "Product Viewed", "Product Added", "Checkout Started")
    ):
        event(30 + 20 * number, "track", "buyer", event=name)
    for minute in (95, 96, 97):
        properties = {"order_id": "o-1" if minute < 97 else "o-2", "revenue": 19.95}
        event(minute, "track", "buyer", event="Order Completed", properties=properties)
    return made


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    if not DATA.exists():
        pytest.skip(f"the sample data are not there: {DATA}")
    return replayed() + simulated() + awkward()


@pytest.fixture
def session(pipeline: Settings) -> Iterator[Session]:
    with store.connect(pipeline) as session:
        yield session


def send(settings: Settings, messages: list[Message]) -> None:
    with Sender(settings) as sender:
        for key, value in messages:
            sender.send(key, value)


def rows(session: Session, table: str) -> list[dict[str, Any]]:
    """All rows of a table; what is a date or a collection of the driver's as Python's own."""
    found = session.execute(SimpleStatement(f"SELECT * FROM {table}", fetch_size=500), timeout=120)
    return [{name: _own(value) for name, value in row._asdict().items()} for row in found]


def _own(value: Any) -> Any:
    if type(value).__name__ == "Date":
        return value.date()
    return dict(value) if type(value).__name__ == "OrderedMapSerializedKey" else value


def check(session: Session, messages: list[Message]) -> None:
    """Compare every table with the recount."""
    events = rows(session, "events_by_user_day")
    devices = {event["user_agent"]: event["device_type"] for event in events}
    expected = Answers((value for _, value in messages), devices)
    assert len(events) == len(expected.events)
    assert {row["anonymous_id"]: row["user_id"] for row in rows(session, "identities")} == expected.identities
    _same_sessions(rows(session, "sessions_by_user"), expected.sessions)
    metrics = rows(session, "page_metrics")
    assert {
        (row["site"], row["page_path"], row["day"], row["minute"]): (row["views"], row["bot_views"], row["visitors"])
        for row in metrics
    } == expected.page_metrics
    ranks: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for row in sorted(rows(session, "top_pages"), key=lambda row: row["rank"]):
        ranks.setdefault((row["site"], row["bucket"]), []).append((row["page_path"], row["views"]))
        assert row["rank"] == len(ranks[row["site"], row["bucket"]])
    assert ranks == expected.top_pages
    funnels = {
        (row.pop("day"), row.pop("step")): row for row in rows(session, "funnels") if row.pop("funnel") == "shop"
    }
    assert funnels == expected.funnels
    traffic = {row.pop("day"): _maps(row) for row in rows(session, "traffic_by_day")}
    assert {row.pop("month") for row in traffic.values()} == {f"{day:%Y-%m}" for day in expected.traffic}
    assert traffic == expected.traffic
    assert not rows(session, "refresh_pending")
    assert not rows(session, "visitors_pending")
    check_report(session, expected)


def check_report(session: Session, expected: Answers) -> None:
    """The report of a day of the access log says what was recounted."""
    day = date(2015, 5, 18)
    figures = report.read(session, day)
    assert figures.series("views")[-3:] == [
        0.0,
        *(float(expected.traffic[d]["views"]) for d in (date(2015, 5, 17), day)),
    ]
    pages = [(row.page_path, row.views) for row in figures.pages["semicomplete.com"]]
    assert pages == expected.top_pages["semicomplete.com", "day 2015-05-18"][: report.PAGES]
    console = Console(width=120)
    with console.capture() as shown:
        console.print(render(figures))
    assert f"{expected.traffic[day]['visitors']:,}" in shown.get()


def _maps(row: dict[str, Any]) -> dict[str, Any]:
    """A day's row with empty maps, which Cassandra does not tell from none."""
    return {name: {} if value is None else value for name, value in row.items()}


def _same_sessions(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    by_id = {(row["user_id"], row["session_id"]): row for row in found}
    wanted = {(row["user_id"], row["session_id"]): row for row in expected}
    assert by_id.keys() == wanted.keys()
    for key, row in wanted.items():
        assert {name: by_id[key][name] for name in row} == row


def test_every_answer_equals_the_recount(pipeline: Settings, session: Session, messages: list[Message]) -> None:
    """Shuffled, cut into runs, each run with repeats of the run before; then everything once more."""
    coming = messages.copy()
    if SHUFFLED:
        random.Random(5).shuffle(coming)
    size = -(-len(coming) // RUNS)
    for start in range(0, len(coming), size):
        send(pipeline, coming[max(0, start - size // 10) : start + size])
        run_job(pipeline)
    check(session, messages)
    for _ in range(REPLAYS):
        send(pipeline, messages)
        run_job(pipeline)
        check(session, messages)
