"""Every kind of bad record and of strange text, in one run over real servers: the stream goes on, nothing is lost."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from clicktrail import store
from clicktrail.settings import Settings
from tests.integration.raw_recount import (
    Recount,
    check_rejected,
    check_store,
    check_transformed,
    recount,
    rows,
)
from tests.integration.support import run_job
from tests.integration.topic import Message, Record, read, send
from tests.samples import BAD, LONGEST_KEY, TEXTS, page, value, weird, with_property

REASONS = {bad.value: bad.reason.value for bad in BAD}
TINY = 300
"""Events that say next to nothing, of one visitor and day: the most rows that a batch for Cassandra can have."""
HUGE = b"z" * 5_000_000
"""Compressed it fits into the source topic; as it is neither into the sinks' topics nor in a batch of Cassandra."""


@pytest.fixture(scope="module")
def sent(pipeline: Settings) -> list[Record]:
    """All samples, each bad one among good ones; the job has run over them once. Gives the source topic's records."""
    good = [value(messageId=f"good {n}", timestamp=f"2024-05-01T10:{n:02d}:00Z") for n in range(20)]
    strange = [weird(name) for name in TEXTS]
    limits = [
        value(messageId="longest visitor", userId="v" * LONGEST_KEY),
        value(messageId="m" * LONGEST_KEY),
        page(url="https://shop.example/" + "p" * 65_000),
        value(messageId="large", properties={"text": "t" * 1_030_000}),
        with_property('{"a":' * 98 + "1" + "}" * 98).replace(b"m-1", b"deep"),
        value(messageId="late by years", timestamp="2001-02-03T04:05:06Z"),
        value(messageId="repeat"),
        value(messageId="repeat"),
    ]
    tiny = [
        json.dumps(
            {"type": "page", "messageId": f"{n}", "userId": "u", "timestamp": f"2024-05-01T10:00:00.{n:03d}Z"}
        ).encode()
        for n in range(TINY)
    ]
    keys = [b"u-1", None, b"", "ключ".encode(), b"\xff\x00"]
    bad = [Message(keys[n % len(keys)], sample.value, n % 4) for n, sample in enumerate(BAD)]
    send(pipeline, [Message(b"u-1", content, 0) for content in good[:10]])
    send(pipeline, bad)
    send(pipeline, [Message(b"u-1", content, 1) for content in [*strange, *limits]])
    send(pipeline, [Message(b"u-1", HUGE, 2), Message(b"u-1", good[10], 2)], compression="lz4")
    send(pipeline, [Message(b"u-1", content, 3) for content in [*good[11:], *tiny]])
    run_job(pipeline)
    return read(pipeline, pipeline.source_topic)


@pytest.fixture(scope="module")
def found(sent: list[Record]) -> Recount:
    """What should have become of them, but for the huge record."""
    return recount([record for record in sent if record.value != HUGE], REASONS)


@pytest.fixture(scope="module")
def huge(sent: list[Record]) -> Record:
    """The huge record as the sinks may hold it: its first bytes."""
    (record,) = [record for record in sent if record.value == HUGE]
    return record._replace(value=HUGE[:1_048_576])


def test_samples_are_complete(sent: list[Record], found: Recount) -> None:
    assert len(found.dead) == len(BAD)
    assert len(found.events) == 20 + len(TEXTS) + 7 + TINY
    assert len(sent) == len(found.dead) + len(found.events) + 2


def test_cassandra_holds_each_record_once(pipeline: Settings, found: Recount, huge: Record) -> None:
    with_huge = Recount(
        found.events, found.dead | {(huge.partition, huge.offset): (huge, "record_too_large")}, found.copies
    )
    check_store(pipeline, with_huge)


def test_strange_texts_are_as_they_were(pipeline: Settings, found: Recount) -> None:
    with store.connect(pipeline) as session:
        stored = {row["event_id"]: row for row in rows(session, "events_by_user_day")}
    transformed = {
        json.loads(record.value or b"")["event_id"]: json.loads(record.value or b"")
        for record in read(pipeline, pipeline.transformed_topic)
    }
    for text in TEXTS.values():
        for event in (stored[f"m {text}"], transformed[f"m {text}"]):
            assert event["user_id"] == f"u {text}"
            for field in ("event_name", "page_title", "user_agent", "locale", "category", "search_query", "currency"):
                assert event[field] == text
            assert json.loads(event["properties"])[text] == text


def test_events_are_in_the_transformed_topic(pipeline: Settings, found: Recount) -> None:
    seen = check_transformed(read(pipeline, pipeline.transformed_topic), found)
    assert set(seen.values()) == {1}


def test_dead_letters_are_in_their_topic_with_the_original_bytes(
    pipeline: Settings, found: Recount, huge: Record
) -> None:
    rejected = read(pipeline, pipeline.dead_letter_topic)
    (cut,) = [record for record in rejected if record.source == (huge.partition, huge.offset)]
    assert (cut.value, cut.headers["reason"]) == (huge.value, b"record_too_large")
    seen = check_rejected([record for record in rejected if record is not cut], found)
    assert set(seen.values()) == {1}


def test_ledger_accounts_for_each_record(pipeline: Settings, sent: list[Record], found: Recount) -> None:
    with store.connect(pipeline) as session:
        entries = {row["partition"]: row for row in rows(session, "batch_ledger")}
        assert len(entries) == len(rows(session, "batch_ledger")) == 4
    for partition, entry in entries.items():
        records = [record for record in sent if record.partition == partition]
        reasons = Counter(reason for record, reason in found.dead.values() if record.partition == partition)
        reasons.update(["record_too_large"] if any(record.value == HUGE for record in records) else [])
        good = len(records) - reasons.total()
        assert (entry["first_offset"], entry["last_offset"]) == (0, len(records) - 1)
        assert (entry["events_read"], entry["good"], entry["rejected"]) == (len(records), good, dict(reasons))
        assert entry["repeats"] == (1 if partition == 1 else 0)
        assert entry["late"] == good
        assert entry["seconds"] > 0
    assert sum(entry["events_read"] for entry in entries.values()) == len(sent)
