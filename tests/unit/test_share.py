"""A share of a batch on its way into Cassandra, over tables in memory: what is kept, written, counted and handed on."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from clicktrail.errors import ClicktrailError
from clicktrail.job import page_calls, pages, runner, share
from clicktrail.job.derive import pending
from clicktrail.job.event_store import VisitorDay
from clicktrail.job.kafka_sink import COLUMNS
from clicktrail.job.page_calls import PageMinute, Views
from clicktrail.job.page_counts import Counts
from clicktrail.job.report import Report, Tally
from clicktrail.job.share import OUT, Share
from tests.raw import HOUR, MINUTE, NOW, Raw, call, decoded
from tests.samples import AGENT, BOT_AGENT, SITE, value
from tests.tables import Events, Tables, Topics

DAY = 19_844  # 2024-05-01
MOMENT = 1_714_557_630_123  # the sample event's
A, B, C = (PageMinute(SITE, path, MINUTE) for path in ("/a", "/b", "/c"))


class Store:
    """Tables that batches come into, each in one share."""

    def __init__(self) -> None:
        self.tables = Tables()
        self.write_time = 10**16
        self.share = 2
        self.counts = Counts(self.tables)  # type: ignore[arg-type]
        self.report = Report()
        self.sent: list[dict[str, Any]] = []
        self.held: list[dict[str, Any]] = []

    def take(self, *raw: Raw, crashed: bool = False, crashed_early: bool = False) -> Report:
        """A batch; ``crashed``: it ended between its events and what waits for counts, ``early`` before its events."""
        self.write_time += 1
        self.share += 1
        events, kafka = Events(self.tables, Tables() if crashed_early else None), Topics()
        one = Share(self.tables, events, kafka, self.write_time, self.share)  # type: ignore[arg-type]
        came = list(one.take(decoded(*raw)))
        self.written = [row for _, row in events.written]
        rows = [row for each in came for row in each.to_pylist()]
        assert all(each.schema.equals(OUT) for each in came)
        assert [row["report"] is not None for row in rows].count(True) == 1
        self.report = Report.together(row["report"] for row in rows if row["report"] is not None)
        self.sent, self.held = kafka.sent, [row for row in rows if row["report"] is None]
        if not crashed and not crashed_early:
            pages.update(self.tables, self.counts, self.report, self.write_time)  # type: ignore[arg-type]
            events.write(
                (VisitorDay(row["user_id"], row["event_time"] // 86_400_000), row["held"]) for row in self.held
            )
        return self.report

    @property
    def events(self) -> dict[str, dict[str, Any]]:
        return {row["event_id"]: row for row in self.tables.rows("events_by_user_day")}

    @property
    def metrics(self) -> dict[PageMinute, Views]:
        return {
            PageMinute(row["site"], row["page_path"], row["minute"]): Views(
                row["views"], row["bot_views"], row["visitors"]
            )
            for row in self.tables.rows("page_metrics")
        }


@pytest.fixture
def store() -> Store:
    return Store()


def repeats(report: Report) -> int:
    return sum(tally.repeats for tally in report.tallies)


# ---- copies within a batch


def test_latest_copy_of_an_event_is_kept(store: Store) -> None:
    store.take(
        # the broker's clock decides, not the order of arrival in the batch
        Raw(value(messageId="clock", event="late"), 10, 0, NOW + 9),
        Raw(value(messageId="clock", event="early"), 11, 0, NOW),
        Raw(value(messageId="clock", event="between"), 12, 1, NOW + 5),
        # at the same millisecond the offset does
        Raw(value(messageId="tie", event="second"), 21),
        Raw(value(messageId="tie", event="first"), 20),
        # and where that is the same, the partition
        Raw(value(messageId="twin", event="two"), 30, 2),
        Raw(value(messageId="twin", event="one"), 30, 1),
        # what differs in its identity is another event
        Raw(value(messageId="other", event="a"), 40),
        Raw(value(messageId="other", event="b", timestamp="2024-05-01T10:00:30.124Z"), 41),
        Raw(value(messageId="other", event="c", userId="u-2"), 42),
        # the same moment in another zone is the same event
        Raw(value(messageId="zone", event="a", timestamp="2024-05-01T10:00:30Z"), 50),
        Raw(value(messageId="zone", event="b", timestamp="2024-05-01T12:00:30+02:00"), 51),
        # rejected records are never copies of each other
        Raw(b"nonsense", 60),
        Raw(b"nonsense", 61),
        Raw(None, 62),
    )
    rows = store.tables.rows("events_by_user_day")
    kept = [("clock", "late"), ("tie", "second"), ("twin", "two"), ("zone", "b")]
    kept += [("other", name) for name in "abc"]
    assert sorted((row["event_id"], row["event_name"]) for row in rows) == sorted(kept)
    assert len(store.written) == 7
    assert repeats(store.report) == 5
    handed_on = [row["event_id"] for row in store.sent if row["reason"] is None]
    assert sorted(handed_on) == sorted(name for name, _ in kept)
    assert [row["source_offset"] for row in store.sent if row["reason"] is not None] == [60, 61, 62]


def test_events_are_written_by_visitor_and_day_in_the_order_of_time(store: Store) -> None:
    store.take(
        *(
            Raw(call("/", second=second, userId=f"u-{visitor}", messageId=f"m-{second}"), 100 * visitor + second)
            for second in (40, 5, 59, 20)
            for visitor in range(3)
        )
    )
    events = Events(store.tables)
    one = Share(store.tables, events, Topics(), 1, 0)  # type: ignore[arg-type]
    list(one.take(decoded(*(Raw(call("/", second=s, userId=u), s) for s, u in [(9, "x"), (3, "y"), (5, "x")]))))
    assert [day.user_id for day, _ in events.written] == ["x", "x", "y"]
    assert sorted((row["user_id"], row["event_time"]) for row in store.tables.rows("events_by_user_day")) == [
        *((f"u-{visitor}", MINUTE + 1_000 * second) for visitor in range(3) for second in (5, 20, 40, 59)),
        *(("x", MINUTE + 5_000), ("x", MINUTE + 9_000), ("y", MINUTE + 3_000)),
    ]


def test_a_row_is_written_at_its_records_time(store: Store) -> None:
    store.take(Raw(call("/a"), 1_234, received_at=NOW + 1))
    assert store.tables.times("events_by_user_day") == [{(NOW + 1) * 1_000 + 234}]


def test_page_calls_that_a_later_copy_of_the_batch_replaces(store: Store) -> None:
    report = store.take(
        Raw(call("/old", messageId="moved"), 1, 0, NOW),
        Raw(call("/older", messageId="moved"), 2, 0, NOW - 5),
        Raw(call("/new", messageId="moved"), 3, 0, NOW + 5),
        Raw(call("/gone", messageId="no page now"), 4, 0, NOW),
        Raw(call(None, messageId="no page now"), 5, 0, NOW + 5),
        Raw(call("/typed", messageId="no call now"), 6, 0, NOW),
        Raw(call("/typed", messageId="no call now", type="track"), 7, 0, NOW + 5),
        Raw(call("/same", messageId="stays"), 8, 0, NOW),
        Raw(call("/same", messageId="stays", event="other"), 9, 0, NOW + 5),
        Raw(call("/back", messageId="there and back"), 10, 0, NOW),
        Raw(call("/there", messageId="there and back"), 11, 0, NOW + 1),
        Raw(call("/back", messageId="there and back"), 12, 0, NOW + 2),
        Raw(call("/person", AGENT, messageId="found out"), 13, 0, NOW),
        Raw(call("/person", BOT_AGENT, messageId="found out"), 14, 0, NOW + 5),
    )
    time = MINUTE + 30_000
    assert {(page.page_path, packed) for page, calls in report.gone.items() for packed in calls} == {
        ("/old", page_calls.gone("u-1", time, "moved", NOW * 1_000 + 1)),
        ("/older", page_calls.gone("u-1", time, "moved", (NOW - 5) * 1_000 + 2)),
        ("/gone", page_calls.gone("u-1", time, "no page now", NOW * 1_000 + 4)),
        ("/typed", page_calls.gone("u-1", time, "no call now", NOW * 1_000 + 6)),
        ("/there", page_calls.gone("u-1", time, "there and back", (NOW + 1) * 1_000 + 11)),
    }
    assert {(page.site, page.minute) for page in report.gone} == {(SITE, MINUTE)}
    assert {page.page_path: views for page, views in store.metrics.items()} == {
        "/new": (1, 0, 1),
        "/same": (1, 0, 1),
        "/back": (1, 0, 1),
        "/person": (1, 1, 1),
    }
    assert report.held == 4  # each waits until the calls are gone that a batch that was cut off may have entered


# ---- what the store knows already


def test_the_same_records_again_are_no_repeats_and_count_their_pages_again(store: Store) -> None:
    """A batch that was cut off between its events and its page's count is done again."""
    batch = [
        Raw(call("/a", messageId="1"), 1),
        Raw(call("/a", messageId="2", userId="u-2"), 2),
        Raw(call("/a", BOT_AGENT, messageId="3", userId="bot"), 3),
        Raw(b"x", 4),
    ]
    store.take(*batch, crashed=True)
    first = store.tables.rows("events_by_user_day")
    assert store.metrics == {}
    report = store.take(*batch)
    assert repeats(report) == 0
    assert report.uncertain == {A}
    assert report.views == {}
    assert store.metrics == {A: Views(3, 1, 3)}
    store.take(*batch)
    assert store.metrics == {A: Views(3, 1, 3)}
    assert store.tables.rows("events_by_user_day") == first
    assert len(store.tables.rows("dead_letters")) == 1


@pytest.mark.parametrize("ids", ["ab", "ij"])  # of two contents of a row the larger one would stay
def test_a_share_that_is_tried_again_loses_no_calls_of_the_first_attempt(store: Store, ids: str) -> None:
    class Failing(Events):
        def write(self, rows: Iterable[tuple[VisitorDay, bytes]]) -> None:
            super().write(list(rows)[:1])
            raise ConnectionError

    raw = [Raw(call("/a", messageId=each, second=second), second) for second, each in enumerate(ids)]
    broken = Failing(store.tables)
    attempt = Share(store.tables, broken, Topics(), store.write_time + 1, store.share)  # type: ignore[arg-type]
    with pytest.raises(ConnectionError):
        list(attempt.take(decoded(*raw)))
    store.take(*raw)  # with the same write time, as Spark does it
    assert store.metrics == {A: Views(2, 0, 1)}


def test_stale_content_stays_out_and_is_a_repeat(store: Store) -> None:
    store.take(Raw(call("/a", event="new"), 5, 0, NOW + 5))
    report = store.take(Raw(call("/b", event="old"), 9, 2, NOW))
    assert store.written == []
    assert store.events["m-1"]["event_name"] == "new"
    assert store.metrics == {A: Views(1, 0, 1)}
    assert report.views == report.gone == {}
    assert report.tallies == [Tally(2, None, 1, 9, 9, repeats=1)]
    assert [row["event_id"] for row in store.sent] == ["m-1"]  # at-least-once: the topic's readers keep the later


def test_newer_content_of_the_same_page_is_written_over_and_not_counted_anew(store: Store) -> None:
    store.take(Raw(call("/a", event="old"), 5))
    report = store.take(Raw(call("/a", event="new"), 6, 0, NOW + 5))
    assert (report.views, report.gone, report.held, repeats(report)) == ({}, {}, 0, 1)
    assert store.events["m-1"]["event_name"] == "new"
    assert store.events["m-1"]["received_at"] == NOW + 5
    assert store.metrics == {A: Views(1, 0, 1)}


def test_fields_that_vanished_are_erased_and_nothing_else(store: Store) -> None:
    store.take(Raw(call("/a", messageId="full", properties={"price": 2.5, "currency": "EUR"}, event="x"), 1))
    store.take(Raw(call("/a", messageId="full", properties={"price": 2.5}), 2, 0, NOW + 5))
    (row,) = store.written
    assert store.events["full"]["price"] == 2.5
    assert "currency" not in store.events["full"]
    assert "event_name" not in store.events["full"]
    assert b"\xff\xff\xff\xff" in row
    store.take(Raw(call("/a", messageId="full", properties={"price": 3.5}, event="y"), 3, 0, NOW + 9))
    (row,) = store.written  # nothing vanishes: no tombstones
    assert b"\xff\xff\xff\xfe" in row
    assert b"\xff\xff\xff\xff" not in row
    assert (store.events["full"]["price"], store.events["full"]["event_name"]) == (3.5, "y")


@pytest.mark.parametrize(
    ("before", "after", "metrics"),
    [
        (call("/a"), call("/b"), {B: (1, 0, 1)}),
        (call("/a"), call(None), {}),
        (call("/a"), call("/a", type="track"), {}),
        (call(None), call("/b"), {B: (1, 0, 1)}),
        (call("/b", type="track"), call("/b"), {B: (1, 0, 1)}),
        (call("/a"), call("/a", BOT_AGENT), {A: (1, 1, 1)}),
        (call("/a", BOT_AGENT), call("/a"), {A: (1, 0, 1)}),
    ],
)
def test_the_call_of_a_page_moves_with_its_event(
    store: Store, before: bytes, after: bytes, metrics: dict[PageMinute, Views]
) -> None:
    store.take(Raw(before, 5))
    store.take(Raw(after, 6, 0, NOW + 5))
    assert store.metrics == metrics
    store.take(Raw(after, 6, 0, NOW + 5), Raw(before, 5))
    assert store.metrics == metrics
    assert store.events["m-1"]["received_at"] == NOW + 5


def test_an_event_that_leaves_its_page_waits_until_the_call_is_gone(store: Store) -> None:
    """What it replaces says where the call was: after a crash that has to be there still."""
    store.take(Raw(call("/a"), 5), Raw(call("/a", messageId="stays"), 7))
    moved = Raw(call("/b"), 6, 0, NOW + 5)
    report = store.take(moved, crashed=True)
    assert store.written == []
    assert store.events["m-1"]["page_path"] == "/a"
    assert report.held == 1
    assert report.gone == {A: [page_calls.gone("u-1", MINUTE + 30_000, "m-1", NOW * 1_000 + 5)]}
    assert [row["held"] is not None for row in store.held] == [True]
    assert [row["event_id"] for row in store.sent] == ["m-1"]
    report = store.take(moved)
    assert list(report.gone) == [A]
    assert store.events["m-1"]["page_path"] == "/b"
    assert store.metrics == {A: Views(1, 0, 1), B: Views(1, 0, 1)}


def test_a_call_that_moves_and_comes_back_within_a_batch_is_still_counted(store: Store) -> None:
    store.take(Raw(call("/a"), 1), Raw(call("/a", messageId="stays", userId="u-2"), 2))
    store.take(Raw(call("/a"), 3, 0, NOW + 1), Raw(call("/b"), 4, 0, NOW + 2), Raw(call("/a"), 5, 0, NOW + 3))
    assert store.metrics == {A: Views(2, 0, 2)}


def test_copies_that_come_after_a_later_one_take_no_call_away(store: Store) -> None:
    """Partitions are read at their own pace, so that the earlier record may come in a later batch."""
    store.take(Raw(call("/a"), 1))
    store.take(Raw(call("/a"), 2, 0, NOW + 9))
    store.take(Raw(call("/a"), 3, 1, NOW + 1), Raw(call("/b"), 4, 1, NOW + 2))
    store.take(Raw(call("/a", messageId="another", userId="u-2"), 5))  # counts the minute anew
    assert store.metrics == {A: Views(2, 0, 2)}


def test_a_call_that_moves_twice_and_comes_back(store: Store) -> None:
    for later, path in enumerate(("/a", "/b", "/c", "/a")):
        store.take(Raw(call(path), later, 0, NOW + later))
    assert store.metrics == {A: Views(1, 0, 1)}


def test_late_events_and_late_repeats_leave_the_counts_exact(store: Store) -> None:
    """Whatever the order and the cut into batches, the tables end the same."""
    raw = [
        Raw(call("/a", messageId="1"), 1, 0, NOW),
        Raw(call("/a", messageId="1"), 2, 0, NOW + 1),
        Raw(call("/b", messageId="2"), 3, 0, NOW + 2),
        Raw(call("/a", messageId="2"), 4, 0, NOW + 3),
        Raw(call("/a", BOT_AGENT, messageId="3", userId="bot"), 5, 0, NOW + 4),
        Raw(call("/c", messageId="4", second=70), 6, 0, NOW + 5),
        Raw(call("/c", messageId="4", second=70, type="track"), 7, 0, NOW + 6),
        Raw(call("/b", messageId="5", userId="u-2", second=10), 8, 0, NOW + 7),
    ]
    ends = []
    for order in (raw, raw[::-1], raw[4:] + raw[:4], raw + raw, raw[1::2] + raw[::2]):
        for size in (1, 3, len(order)):
            one = Store()
            for start in range(0, len(order), size):
                one.take(*order[start : start + size])
            ends.append((one.tables.rows("events_by_user_day"), one.metrics))
    assert ends[0][1] == {A: Views(3, 1, 2), B: Views(1, 0, 1)}
    assert all(end == ends[0] for end in ends)


@pytest.mark.parametrize("seed", range(60))
def test_what_ends_up_is_the_latest_of_each_event_whatever_crashes(seed: int) -> None:
    """Random contents of few events, random batches that crash at either point and are done again, lost checkpoints."""
    chance = random.Random(seed)
    pages_by = [(None, AGENT), *((path, agent) for path in ("/a", "/b") for agent in (AGENT, BOT_AGENT))]
    kinds: list[dict[str, Any]] = [{}, {"event": "named"}, {"type": "track", "event": "t"}]
    contents = [
        call(path, agent, second=30 + 20 * event, messageId=f"m-{event}", userId=f"u-{event % 2}", **kind)
        for event in range(4)
        for path, agent in pages_by
        for kind in kinds
    ]
    raw = [
        Raw(chance.choice(contents), offset, offset % 3, NOW + chance.randrange(4))
        for offset in range(chance.randrange(3, 25))
    ]
    one = Store()
    at = 0
    while at < len(raw):
        end = at + chance.randrange(1, 8)
        while chance.random() < 0.4:
            one.take(*raw[at:end], **{chance.choice(["crashed", "crashed_early"]): True})
            if chance.random() < 0.4:  # the checkpoint is lost with it, and batches are cut otherwise
                at = 0
                end = at + chance.randrange(1, 8)
        one.take(*raw[at:end])
        at = 0 if chance.random() < 0.1 else end  # at times the checkpoint is lost
    rows = decoded(*raw).to_pylist()
    latest: dict[tuple[str, int, str], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["write_time"], row["source_partition"], row["source_offset"])):
        latest[row["user_id"], row["event_time"], row["event_id"]] = row
    stored = one.tables.rows("events_by_user_day")
    assert [(row["event_id"], row["source_offset"]) for row in stored] == [
        (name, latest[user, time, name]["source_offset"]) for user, time, name in sorted(latest)
    ]
    pages_of: dict[PageMinute, list[dict[str, Any]]] = {}
    for row in latest.values():
        if row["page_path"] is not None:
            minute = row["event_time"] - row["event_time"] % 60_000
            pages_of.setdefault(PageMinute(row["site"], row["page_path"], minute), []).append(row)
    assert one.metrics == {
        page: Views(len(calls), sum(row["is_bot"] for row in calls), len({row["user_id"] for row in calls}))
        for page, calls in pages_of.items()
    }


# ---- what is written before the events


def test_visitors_days_are_known_up_to_their_newest_event(store: Store) -> None:
    midnight = DAY * 86_400_000
    store.take(
        *(
            Raw(call("/", messageId=str(number), userId=user, timestamp=timestamp), number)
            for number, (user, timestamp) in enumerate(
                [
                    ("u-1", "2024-05-01T09:00:00.007Z"),
                    ("u-1", "2024-05-01T00:00:00Z"),
                    ("u-1", "2024-04-30T23:59:59.999Z"),
                    ("u-2", "2024-05-01T01:00:00+02:00"),
                ]
            )
        )
    )

    def known() -> dict[tuple[str, str], int]:
        return {(row["user_id"], str(row["day"])): row["newest"] for row in store.tables.rows("visitors_by_day")}

    first = {
        ("u-1", "2024-05-01"): midnight + 9 * HOUR + 7,
        ("u-1", "2024-04-30"): midnight - 1,
        ("u-2", "2024-04-30"): midnight - HOUR,
    }
    assert known() == first
    store.take(Raw(call("/", messageId="late", timestamp="2024-05-01T08:00:00Z"), 9))
    assert known() == first
    store.take(Raw(call("/", messageId="later", timestamp="2024-05-01T09:30:00Z"), 10))
    assert known() == first | {("u-1", "2024-05-01"): midnight + 9 * HOUR + 30 * 60_000}


def test_only_what_may_be_stored_is_looked_up(store: Store) -> None:
    def looked_up() -> list[Any]:
        found = [key for table, key in store.tables.asked if table == "events_by_user_day"]
        store.tables.asked.clear()
        return found

    store.take(Raw(call("/", messageId="1", second=10), 1), Raw(call("/", messageId="2", second=20), 2))
    assert looked_up() == []
    store.take(Raw(call("/", messageId="3", second=21), 3), Raw(call("/", messageId="4", userId="u-2"), 4))
    assert looked_up() == []
    store.take(Raw(call("/", messageId="5", second=15), 5), Raw(call("/", messageId="6", second=40), 6))
    ((user_id, _, keys),) = looked_up()
    assert (user_id, keys) == ("u-1", [(MINUTE + 15_000, "5")])


def test_visitors_days_are_noted_for_the_derived_tables(store: Store) -> None:
    store.take(
        Raw(call("/", messageId="1", userId="ann"), 1),
        Raw(call("/", messageId="2", userId="ann", type="track", event="x"), 2),
        Raw(call("/", messageId="3", userId="ann", timestamp="2024-04-30T10:00:00Z"), 3),
        Raw(value(messageId="4", userId="bob", type="identify"), 4),
        Raw(call("/", messageId="5", userId="bob"), 5),
        Raw(value(messageId="6", userId="eve", type="alias", previousId="e-0"), 6),
        Raw(b"x", 7),
    )
    noted = pending.read(store.tables)  # type: ignore[arg-type]
    first, day_before = date(2024, 5, 1), date(2024, 4, 30)
    assert noted.visitors == {"ann": {first, day_before}, "bob": {first}, "eve": {first}}
    assert noted.claims == {"bob": {first}, "eve": {first}}
    rows = store.tables.rows("visitors_pending")
    assert all(0 <= row["shard"] < pending.SHARDS for row in rows)
    assert sorted((row["day"], row["claims"], row["visitors"]) for row in rows) == [
        (day_before, False, '["ann"]'),
        (first, False, '["ann"]'),
        (first, True, '["bob","eve"]'),
    ]
    assert store.tables.times("visitors_pending") == [{store.write_time}] * 3


def test_dead_letters_have_their_original_and_where_it_is_from(store: Store) -> None:
    store.take(Raw(b"\xff\x00", 35, 2, NOW, key=None), Raw(None, 16, 1, NOW + HOUR, key=b"\xfe"), Raw(value(), 1))
    null, bytes_ = store.tables.rows("dead_letters")[::-1]
    assert null == {
        "hour": MINUTE + HOUR,
        "shard": 0,
        "topic": "clicks",
        "partition": 1,
        "offset": 16,
        "reason": "null_value",
        "detail": "the record has no value",
        "record_key": b"\xfe",
        "received_at": NOW + HOUR,
    }
    assert bytes_ == {
        "hour": MINUTE,
        "shard": 3,
        "topic": "clicks",
        "partition": 2,
        "offset": 35,
        "reason": "invalid_utf8",
        "detail": "not UTF-8 at byte 0",
        "original": b"\xff\x00",
        "received_at": NOW,
    }
    assert store.tables.times("dead_letters") == [{NOW * 1_000 + 35}, {(NOW + HOUR) * 1_000 + 16}]


# ---- what is counted, and what goes to Kafka


def test_page_metrics_count_calls_crawlers_and_visitors(store: Store) -> None:
    report = store.take(
        Raw(call("/a", messageId="1"), 1),
        Raw(call("/a", messageId="2", second=59), 2),
        Raw(call("/a", messageId="2", second=59), 3),  # a repeat
        Raw(call("/a", messageId="3", userId="u-2"), 4),
        Raw(call("/a", BOT_AGENT, messageId="4", userId="bot"), 5),
        Raw(call("/a", messageId="5", second=60), 6),  # the next minute
        Raw(call("/b?x=1", messageId="6"), 7),
        Raw(call("/a", messageId="7", type="track", event="Product Viewed"), 8),
        Raw(call(None, messageId="8"), 9),
        Raw(value(messageId="9", context={"page": {"path": "/a"}}), 10),
        Raw(b"x", 11),
    )
    expected = {
        A: Views(4, 1, 3),
        PageMinute(SITE, "/a", MINUTE + 60_000): Views(1, 0, 1),
        B: Views(1, 0, 1),
        PageMinute("unknown", "/a", MINUTE): Views(1, 0, 1),
    }
    assert report.views == expected
    assert store.metrics == expected
    assert Counts(store.tables).read(list(expected), 0) == expected  # type: ignore[arg-type]
    assert {row["part"] for row in store.tables.rows("page_calls")} == {3}
    assert {row["chunk"] for row in store.tables.rows("page_calls")} == {store.write_time}


def test_tallies_are_by_partition_and_reason(store: Store) -> None:
    report = store.take(
        Raw(value(messageId="a"), 5),
        Raw(value(messageId="a"), 9),
        Raw(value(messageId="b"), 7, received_at=MOMENT + HOUR),
        Raw(value(messageId="c"), 8, received_at=MOMENT + HOUR + 1),
        Raw(value(messageId="c"), 4, received_at=MOMENT + HOUR + 2),
        Raw(b"{", 3),
        Raw(b"[", 6),
        Raw(None, 12),
        Raw(value(messageId="a"), 1, 1),
    )
    assert sorted(report.tallies, key=str) == sorted(
        [
            Tally(0, None, 5, 4, 9, late=2, repeats=2),  # of the three copies of "a" the one at offset 9 is kept
            Tally(0, "truncated_json", 2, 3, 6),
            Tally(0, "null_value", 1, 12, 12),
            Tally(1, None, 1, 1, 1, repeats=1),
        ],
        key=str,
    )


def test_a_share_of_dead_letters_alone(store: Store) -> None:
    report = store.take(Raw(b"x", 1), Raw(None, 2))
    assert sorted(tally.reason or "" for tally in report.tallies) == ["not_json", "null_value"]
    assert (store.written, len(store.sent)) == ([], 2)


def test_records_for_kafka_are_what_was_decoded(store: Store) -> None:
    records = decoded(Raw(value(messageId="é🛒"), 35, 2, key=b"a key"), Raw(b"\xff", 36, 1, key=None))
    event, letter = records.to_pylist()
    store.take(Raw(value(messageId="é🛒"), 35, 2, key=b"a key"), Raw(b"\xff", 36, 1, key=None))
    assert store.sent == [{name: row[name] for name in COLUMNS} for row in (event, letter)]
    assert store.held == []
    assert store.sent[0]["record_key"] == b"a key"
    assert '"event_id":"é🛒"'.encode() in store.sent[0]["record_value"]
    assert store.sent[1]["record_value"] == b"\xff"
    assert (store.sent[1]["source_topic"], store.sent[1]["source_partition"], store.sent[1]["source_offset"]) == (
        *("clicks", 1, 36),
    )


def test_kafka_is_sent_to_once_everything_else_is_stored() -> None:
    """It is the only sink where a repeat shows, and what fails is done again."""
    tables = Tables()

    class Away:
        def send(self, _: pa.Table) -> None:
            raise ClicktrailError("Kafka failed or went away")

    one = Share(tables, Events(tables), Away(), 10**16, 3)  # type: ignore[arg-type]
    with pytest.raises(ClicktrailError, match="Kafka failed"):
        list(one.take(decoded(Raw(value(), 35), Raw(b"x", 36))))
    assert [row["source_offset"] for row in tables.rows("events_by_user_day")] == [35]
    assert [row["offset"] for row in tables.rows("dead_letters")] == [36]


@pytest.mark.parametrize("kind", [0, -1])
@pytest.mark.parametrize("content", [value(), None])
def test_producers_clock_stops_the_job_before_anything_is_written(
    store: Store, kind: int, content: bytes | None
) -> None:
    with pytest.raises(ClicktrailError, match=r"topic clicks .*message\.timestamp\.type=LogAppendTime"):
        store.take(Raw(value(messageId="fine"), 1), Raw(content, 2, timestamp_type=kind))
    assert [name for name in ("events_by_user_day", "dead_letters", "page_calls") if store.tables.rows(name)] == []


def messages(raw: Iterable[Raw]) -> str:
    try:
        share._refuse_foreign_times(decoded(*raw))
    except ClicktrailError as error:
        return str(error)
    return ""


def test_brokers_clock_is_fine_and_the_refusal_is_one_line() -> None:
    assert messages([Raw(value(), 1), Raw(b"x", 2)]) == ""
    said = messages([Raw(value(), 1, timestamp_type=0)])
    assert "\n" not in said
    assert runner._in_a_sentence(f"…\nclicktrail.errors.ClicktrailError: {said}\n\n\tat org.apache") == said
