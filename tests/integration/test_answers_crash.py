"""A refresh that dies anywhere is made good by the next one: no answer stays wrong, whatever came in between."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from cassandra.cluster import Session

from clicktrail import store
from clicktrail.job.derive import pending, refresh, sessions
from clicktrail.job.derive.cql import Cql, Write, insert
from clicktrail.job.derive.event import Event, day_of
from clicktrail.job.derive.identity import claims, owner
from clicktrail.job.derive.traffic import Traffic
from clicktrail.job.lease import Lease
from clicktrail.settings import Settings

pytestmark = pytest.mark.integration

START = datetime(2024, 2, 28, 22, 0, tzinfo=UTC)
COLUMNS = (
    "user_id", "day", "event_time", "event_id", "event_type", "event_name", "anonymous_id", "site", "page_path",
    "is_bot", "campaign_source",
)  # fmt: skip


class Crash(Exception):
    """What the test makes happen."""


class Brittle(Cql):
    """Breaks down after so many writes, in the middle of what it was given."""

    left = 10**9

    def write(self, writes: Any) -> None:
        for part in chunked(list(writes)):
            if self.left <= 0:
                raise Crash
            self.left -= 1
            super().write(part)


def chunked(writes: list[Write]) -> Iterator[list[Write]]:
    for start in range(0, len(writes), 7):
        yield writes[start : start + 7]


@pytest.fixture
def session(pipeline: Settings) -> Iterator[Session]:
    with store.connect(pipeline) as session:
        yield session


def events(source: random.Random) -> list[Event]:
    """Three devices and two people over three nights, who log in on more than one of them."""
    made = []
    for number in range(150):
        at = START + timedelta(minutes=source.choice([0, 1440, 2880]) + source.randrange(300))
        device = source.choice(["phone", "tablet", "laptop"])
        person = source.choice(["ann", "bob", None, None])
        kind = "identify" if person and source.random() < 0.3 else "page"
        made.append(
            Event(
                user_id=person or device,
                time=int(at.timestamp()) * 1000,
                event_id=f"e{number}",
                event_type=kind,
                anonymous_id=device,
                site="a.example",
                page_path=f"/{number % 5}",
                campaign_source=source.choice([None] * 9 + ["mail"]),
            )
        )
    return made


def bring(cql: Cql, some: list[Event], write_time: int) -> None:
    """What a batch does: notes first, then the events."""
    notes: list[Write] = []
    rows: list[Write] = []
    for event in some:
        moment = datetime.fromtimestamp(event.time // 86_400_000 * 86_400, UTC)
        kind = pending.CLAIMS if event.event_type == "identify" else pending.VISITOR
        note = (len(event.user_id), kind, event.user_id, "", moment, write_time)
        notes.append(Write((pending.TABLE, note[0]), insert(pending.TABLE, pending._COLUMNS), note))
        values = (
            event.user_id, day_of(event.time), datetime.fromtimestamp(event.time // 1000, UTC), event.event_id,
            event.event_type, None, event.anonymous_id, event.site, event.page_path, False, event.campaign_source,
        )  # fmt: skip
        rows.append(Write(("events", event.user_id), insert("events_by_user_day", COLUMNS), (*values, write_time)))
    cql.write(notes)
    cql.write(rows)


def expected(stored: list[Event]) -> tuple[dict[str, str], set[tuple[str, str, int, int]]]:
    """Who is who, and the sessions, from all events at once."""
    found = {}
    for one in {event.anonymous_id for event in stored}:
        every = [claims([event]).get(str(one)) for event in stored]
        claim = owner([claim for claim in every if claim])
        if claim:
            found[str(one)] = claim.user_id
    visitors: dict[str, list[Event]] = {}
    for event in stored:
        visitors.setdefault(found.get(event.user_id, event.user_id), []).append(event)
    return found, {
        (made.user_id, made.session_id, made.events, made.pages)
        for name, own in visitors.items()
        for made in sessions.sessions(own, name)
    }


def check(session: Session, stored: list[Event]) -> None:
    identities, made = expected(stored)
    assert {row.anonymous_id: row.user_id for row in session.execute("SELECT * FROM identities")} == identities
    rows = session.execute("SELECT * FROM sessions_by_user")
    assert {(row.user_id, row.session_id, row.events, row.pages) for row in rows} == made
    days = {row.day.date(): (row.events, row.sessions) for row in session.execute("SELECT * FROM traffic_by_day")}
    assert sum(events for events, _ in days.values()) == len(stored)
    assert sum(visits for _, visits in days.values()) == len(made)


def test_a_refresh_that_dies_anywhere_is_made_good(
    pipeline: Settings, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = random.Random(4)
    monkeypatch.setattr(refresh, "Cql", Brittle)
    lease = Lease(session, "crash", 30)
    lease.acquire()
    try:
        answers = refresh.Answers(SimpleNamespace(), pipeline, session, lease)  # type: ignore[arg-type]
        cql = Cql(session)
        waiting = events(source)
        source.shuffle(waiting)
        stored: list[Event] = []
        crashes = 0
        while waiting:
            some = [waiting.pop() for _ in range(min(len(waiting), source.randrange(5, 20)))]
            bring(cql, some, lease.next_write_time())
            stored += some
            answers._cql.left = source.randrange(0, 40)  # type: ignore[attr-defined]
            try:
                answers.refresh()
            except Crash:
                crashes += 1
            else:
                check(session, stored)
        assert crashes >= 3
        answers._cql.left = 10**9  # type: ignore[attr-defined]
        answers.refresh()
        check(session, stored)
    finally:
        lease.release()


def visit(name: str, text: str) -> sessions.Session:
    return sessions.Session(
        name, "2024-02", text, START, START, 1.5, 1, 1, text, text, text, text, text, text, text, text, text, text,
        1, 1.5, True, False,
    )  # fmt: skip


def test_no_request_is_larger_than_cassandra_takes(session: Session) -> None:
    """Cassandra counts times and keys of each cell as well, and refuses requests that come to 50 KiB."""
    write_time = 10**15
    of_visit, of_day = insert("sessions_by_user", sessions.Session._fields), insert("traffic_by_day", Traffic._fields)
    visits = [
        Write(("sessions_by_user", f"{n} {size}"), of_visit, (*visit(f"{n} {size}", "x" * size), write_time))
        for size in (1, 100, 3_000)
        for n in range(100)
    ]
    sites, hours = {f"{n}.example": n for n in range(50)}, [1] * 24
    traffic = []
    for number in range(40):
        day = (START + timedelta(days=31 * number)).date()
        row = (f"{day:%Y-%m}", day, 1, 1, 1, 1, 1, 1, 1.5, 1.5, 1, 1, 1, hours, *[sites] * 4)
        traffic.append(Write(("traffic_by_day", row[0]), of_day, (*row, write_time)))
    empty(session)
    Cql(session).write(visits + traffic)
    assert len(list(session.execute("SELECT day FROM traffic_by_day"))) == len(traffic)
    assert len(list(session.execute("SELECT user_id FROM sessions_by_user"))) == len(visits)
    empty(session)


def empty(session: Session) -> None:
    for table in ("traffic_by_day", "sessions_by_user"):
        session.execute(f"TRUNCATE {table}")
