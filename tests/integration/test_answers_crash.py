"""A refresh that dies anywhere, or reads half of a batch, is made good by the next one: no answer stays wrong."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
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
    put_notes(cql, some, write_time)
    put_events(cql, some, write_time)


def put_notes(cql: Cql, some: list[Event], write_time: int) -> None:
    touched = [(event.user_id, event.time // 86_400_000, event.event_type == "identify") for event in some]
    cql.write(pending.visitor_notes(touched, write_time, 0))


def put_events(cql: Cql, some: list[Event], write_time: int) -> None:
    rows: list[Write] = []
    for event in some:
        values = (
            event.user_id, day_of(event.time), datetime.fromtimestamp(event.time // 1000, UTC), event.event_id,
            event.event_type, None, event.anonymous_id, event.site, event.page_path, False, event.campaign_source,
        )  # fmt: skip
        rows.append(Write(("events", event.user_id), insert("events_by_user_day", COLUMNS), (*values, write_time)))
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


class Batches:
    """Batches on their way, bit by bit; entered, none is half written."""

    def __init__(self, cql: Cql, lease: Lease, waiting: list[Event], source: random.Random) -> None:
        self.cql, self.lease, self.waiting, self.source = cql, lease, waiting, source
        self.cut: list[Event] = []  # noted, and not stored yet
        self.write_time = 0
        self.entered = 0

    def __enter__(self) -> None:
        while self.cut:
            self.go_on()
        self.entered += 1

    def __exit__(self, *_: object) -> None:
        self.entered -= 1

    def go_on(self) -> None:
        if self.entered:
            return
        if not self.cut:
            self.cut = [self.waiting.pop() for _ in range(min(len(self.waiting), self.source.randrange(5, 20)))]
            self.write_time = self.lease.next_write_time()
            put_notes(self.cql, self.cut, self.write_time)
        else:
            some = [self.cut.pop() for _ in range(min(len(self.cut), 4))]
            put_events(self.cql, some, self.write_time)


class Disturbed(Cql):
    """While it is used, batches go on."""

    batches: Batches | None = None

    def read(self, *args: Any) -> Any:
        self.disturb()
        return super().read(*args)

    def write(self, writes: Any) -> None:
        self.disturb()
        super().write(writes)

    def disturb(self) -> None:
        if self.batches is not None and self.batches.source.random() < 0.4:
            self.batches.go_on()


@pytest.mark.parametrize("seed", range(3))
def test_what_a_refresh_reads_of_a_batch_too_early_is_made_good(
    pipeline: Settings, session: Session, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    source = random.Random(seed)
    monkeypatch.setattr(refresh, "Cql", Disturbed)
    lease = Lease(session, "crash", 30)
    lease.acquire()
    try:
        cql = Cql(session)
        forget(session)
        waiting = events(source)
        stored = list(waiting)
        source.shuffle(waiting)
        batches = Batches(cql, lease, waiting, source)
        monkeypatch.setattr(Disturbed, "batches", batches)
        answers = refresh.Answers(SimpleNamespace(), pipeline, session, lease)  # type: ignore[arg-type]
        disturbed = 0
        while waiting or batches.cut:
            answers.refresh(batches)
            disturbed += bool(batches.cut)
            batches.go_on()
        answers.refresh(batches)
        check(session, stored)
        assert disturbed >= 3
        assert not pending.read(Cql(session))
    finally:
        lease.release()


def test_refreshes_beside_batches_have_a_thread_of_their_own(
    pipeline: Settings, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "PAUSE", 0.0)
    lease = Lease(session, "crash", 30)
    lease.acquire()

    def until(is_over: Callable[[], bool], look: Callable[[], None]) -> None:
        deadline = time.monotonic() + 120
        while not is_over():
            assert time.monotonic() < deadline
            look()
            time.sleep(0.05)

    try:
        forget(session)
        stored = events(random.Random(7))
        bring(Cql(session), stored, lease.next_write_time())
        answers = refresh.Answers(SimpleNamespace(), pipeline, session, lease)  # type: ignore[arg-type]
        with answers.refreshing(threading.Lock()) as look:
            until(lambda: not pending.read(Cql(session)), look)
        check(session, stored)

        monkeypatch.setattr(Brittle, "left", 0)
        monkeypatch.setattr(refresh, "Cql", Brittle)
        bring(Cql(session), stored, lease.next_write_time())
        answers = refresh.Answers(SimpleNamespace(), pipeline, session, lease)  # type: ignore[arg-type]
        with pytest.raises(Crash), answers.refreshing(threading.Lock()) as look:
            until(lambda: False, look)
        assert pending.read(Cql(session))
    finally:
        lease.release()


def forget(session: Session) -> None:
    for table in ("events_by_user_day", "sessions_by_user", "identities", "traffic_by_day", "visitors",
                  "visitor_parts", "refresh_pending", "visitors_pending"):  # fmt: skip
        session.execute(f"TRUNCATE {table}")


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
