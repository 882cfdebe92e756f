"""What the tests of delivery share: clicks that come again and again, and every sink against a recount."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from clicktrail import store
from clicktrail.settings import Settings
from tests.integration.raw_recount import Recount, check_rejected, check_store, check_transformed, recount, rows
from tests.integration.support import Job, apart
from tests.integration.topic import Message, read, send
from tests.samples import AGENT, BOT_AGENT, SITE, to_bytes

LEASE = 15
"""Seconds: long enough for a machine that is busy, short enough to be outwaited in a test."""
BAD: dict[bytes | None, str] = {None: "null_value", b"{": "truncated_json", b"[]": "not_an_object", b"?": "not_json"}
MIDNIGHT = datetime(2024, 5, 1, tzinfo=UTC)
PAGES = ["/", "/search", "/cart", "/checkout", "/p/1", "/p/2", "/p/3", "/ü"]


class Clicks:
    """Clicks of some visitors around a midnight, in groups: page calls, tracks, bad ones, and repeats of earlier ones.

    Some of the repeats say something else: another page, none, no properties, another user agent. An event never comes
    twice in one group, so that the broker's clock tells which is the later one.
    """

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)
        self._sent: list[dict[str, Any]] = []

    def send(self, settings: Settings, groups: int, size: int) -> None:
        """Send some groups, each a moment after the other."""
        for _ in range(groups):
            send(settings, self._group(size))
            time.sleep(0.005)  # LogAppendTime has milliseconds

    def _group(self, size: int) -> list[Message]:
        source = self._source
        earlier = list(self._sent)
        messages: list[Message] = []
        while len(messages) < size:
            chance = source.random()
            if chance < 0.03:
                messages.append(Message(b"bad", source.choice(list(BAD)), source.randrange(4)))
                continue
            if chance < 0.15 and earlier:
                raw = earlier.pop(source.randrange(len(earlier)))
                raw = raw if source.random() < 0.6 else changed(source, raw)
            else:
                raw = click(source, f"click-{len(self._sent)}")
                self._sent.append(raw)
            # now and then through another partition: the topic got more of them, or the key was another
            partition = source.randrange(4) if source.random() < 0.1 else None
            messages.append(Message(raw["anonymousId"].encode(), to_bytes(raw), partition))
        return messages


def click(source: random.Random, message_id: str) -> dict[str, Any]:
    moment = MIDNIGHT + timedelta(milliseconds=source.randrange(-5_400_000, 5_400_000))
    raw: dict[str, Any] = {
        "type": "page" if source.random() < 0.8 else "track",
        "messageId": message_id,
        "anonymousId": f"visitor-{source.randrange(40)}",
        "timestamp": moment.isoformat(timespec="milliseconds"),
        "context": {
            "page": {"url": f"https://{SITE}{source.choice(PAGES)}", "title": "é"},
            "userAgent": BOT_AGENT if source.random() < 0.1 else AGENT,
        },
        "properties": {
            "price": source.randrange(1, 9_999) / 100,
            "quantity": source.randrange(1, 9),
            "category": "hats",
        },
    }
    return raw


def changed(source: random.Random, raw: dict[str, Any]) -> dict[str, Any]:
    """The same event with other content."""
    other = raw | {"context": {"page": dict(raw["context"]["page"]), "userAgent": raw["context"]["userAgent"]}}
    match source.randrange(5):
        case 0:
            other["context"]["page"]["url"] = f"https://{SITE}/moved/{source.randrange(5)}"
        case 1:
            del other["context"]["page"]
        case 2:
            del other["properties"]
        case 3:
            other["context"]["userAgent"] = BOT_AGENT
        case _:
            other |= {"type": "track", "event": "Changed", "properties": {"price": 1.0}}
    return other


def of_its_own(pipeline: Settings, name: str, **changes: Any) -> Settings:
    """Topics, keyspace and checkpoint for one test alone."""
    return apart(pipeline, name, lease_seconds=LEASE, **changes)


def ledger(settings: Settings) -> list[dict[str, Any]]:
    with store.connect(settings) as session:
        return rows(session, "batch_ledger")


def covered(settings: Settings) -> set[tuple[int, int]]:
    """Partitions and offsets that the ledger covers."""
    return {
        (row["partition"], offset)
        for row in ledger(settings)
        for offset in range(row["first_offset"], row["last_offset"] + 1)
    }


def raw_count(settings: Settings) -> tuple[Recount, set[tuple[int, int]]]:
    """The recount of the source topic, and all of its offsets."""
    records = read(settings, settings.source_topic)
    return recount(records, BAD), {(record.partition, record.offset) for record in records}


def whole_topic(settings: Settings) -> dict[int, tuple[int, int]]:
    """The window of all offsets."""
    ends: dict[int, int] = {}
    for record in read(settings, settings.source_topic):
        ends[record.partition] = record.offset + 1
    return {partition: (0, end) for partition, end in ends.items()}


def check_all(settings: Settings) -> tuple[Counter[tuple[int, int]], Counter[tuple[int, int]]]:
    """Every sink against the recount; how often each origin came in the two topics."""
    found, offsets = raw_count(settings)
    assert covered(settings) == offsets
    check_store(settings, found)
    return (
        check_transformed(read(settings, settings.transformed_topic), found),
        check_rejected(read(settings, settings.dead_letter_topic), found),
    )


def repeated_batches(settings: Settings, seen: Counter[tuple[int, int]]) -> set[int]:
    """The micro-batches of which something came into a topic more than once."""
    batch_of = {
        (row["partition"], offset): row["batch_id"]
        for row in ledger(settings)
        for offset in range(row["first_offset"], row["last_offset"] + 1)
    }
    return {batch_of[source] for source, times in seen.items() if times > 1}


def ended(job: Job) -> bool:
    return job.process.poll() is not None
