"""What a raw topic should have become, counted again in plain Python, without a line of the job's code."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from cassandra.cluster import Session
from cassandra.util import Date

from clicktrail import store
from clicktrail.settings import Settings
from tests.integration.topic import Record
from tests.samples import BOT_AGENT

Identity = tuple[str, int, str]
"""Visitor, time in milliseconds, messageId."""
BOOKKEEPING = ("job_lease", "batch_ledger", "refresh_pending", "visitors_pending", "audit_windows", "audit_positions")
"""Tables that say what was done, not what is."""


@dataclass
class Recount:
    """Events by identity, each with the record that it must have come from; and the dead letters."""

    events: dict[Identity, tuple[Record, dict[str, Any]]]
    dead: dict[tuple[int, int], tuple[Record, str]]
    copies: Counter[Identity]


def recount(records: Iterable[Record], reasons: Mapping[bytes | None, str]) -> Recount:
    """Count a topic; ``reasons`` tells the values that are bad, and why. The later by the broker's clock is kept."""
    found = Recount({}, {}, Counter())
    for record in records:
        if record.value in reasons:
            found.dead[record.partition, record.offset] = record, reasons[record.value]
            continue
        assert record.value is not None
        raw = json.loads(record.value)
        identity = raw.get("userId") or raw["anonymousId"], to_millis(raw["timestamp"]), raw["messageId"]
        found.copies[identity] += 1
        if identity not in found.events or _age(found.events[identity][0]) < _age(record):
            found.events[identity] = record, raw
    return found


def _age(record: Record) -> tuple[int, int, int]:
    """Within one of the broker's milliseconds the offset decides, in its last three digits (times.write_time)."""
    return record.received_at, record.offset % 1_000, record.partition


def to_millis(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def of_database(moment: datetime | None) -> int | None:
    """The driver's times (UTC, without a zone) in milliseconds."""
    return None if moment is None else round(moment.replace(tzinfo=UTC).timestamp() * 1_000)


def expected_event(record: Record, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The stored fields that can be told without the enrichment's tables."""
    moment = to_millis(raw["timestamp"])
    context = raw.get("context", {})
    page = context.get("page", {})
    url = urlsplit(page["url"]) if "url" in page else None
    properties = raw.get("properties") or None
    return {
        "user_id": raw.get("userId") or raw["anonymousId"],
        "day": datetime.fromtimestamp(moment / 1_000, UTC).date().isoformat(),
        "event_time": moment,
        "event_id": raw["messageId"],
        "event_type": raw["type"],
        "event_name": raw.get("event"),
        "anonymous_id": raw.get("anonymousId"),
        "received_at": record.received_at,
        "site": url.hostname if url else None,
        "page_path": url.path if url else None,
        "page_title": page.get("title"),
        "user_agent": context.get("userAgent"),
        "is_bot": context.get("userAgent") == BOT_AGENT,
        "price": (properties or {}).get("price"),
        "quantity": (properties or {}).get("quantity"),
        "product_id": (properties or {}).get("product_id"),
        "category": (properties or {}).get("category"),
        "search_query": (properties or {}).get("query"),
        "properties": properties,
        "source_partition": record.partition,
        "source_offset": record.offset,
    }


def stored_event(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of ``events_by_user_day`` in the form of :func:`expected_event`."""
    times = {name: of_database(row[name]) for name in ("event_time", "received_at")}
    properties = None if row["properties"] is None else json.loads(row["properties"])
    shown = dict(row) | times | {"day": str(row["day"]), "properties": properties}
    return {name: shown[name] for name in _COMPARED}


_COMPARED = tuple(
    expected_event(
        Record(0, 0, 0, None, None, {}), {"type": "", "messageId": "", "userId": "u", "timestamp": "2024-01-01"}
    )
)

PageMinute = tuple[str, str, int]


def page_minutes(found: Recount) -> dict[PageMinute, tuple[int, int, int]]:
    """Views, views of crawlers and visitors by site, path and minute."""
    views: Counter[PageMinute] = Counter()
    bots: Counter[PageMinute] = Counter()
    visitors: defaultdict[PageMinute, set[str]] = defaultdict(set)
    for record, raw in found.events.values():
        event = expected_event(record, raw)
        if event["event_type"] != "page" or event["page_path"] is None:
            continue
        key = event["site"], event["page_path"], event["event_time"] // 60_000 * 60_000
        views[key] += 1
        bots[key] += event["is_bot"]
        visitors[key].add(event["user_id"])
    return {key: (views[key], bots[key], len(visitors[key])) for key in views}


def stored_page_minutes(session: Session) -> dict[PageMinute, tuple[int, int, int]]:
    """The same as :func:`page_minutes`, out of ``page_metrics``."""
    found: dict[PageMinute, tuple[int, int, int]] = {}
    for row in rows(session, "page_metrics"):
        assert row["day"] == row["minute"].date(), row
        minute = of_database(row["minute"])
        assert minute is not None
        found[row["site"], row["page_path"], minute] = (row["views"], row["bot_views"], row["visitors"])
    return found


def rows(session: Session, table: str) -> list[dict[str, Any]]:
    """All rows of a small table."""
    return [
        {name: cell.date() if isinstance(cell, Date) else cell for name, cell in row._asdict().items()}
        for row in session.execute(f"SELECT * FROM {table}", timeout=120)
    ]


def content(settings: Settings) -> dict[str, list[str]]:
    """All tables but the bookkeeping, row for row, in a comparable form."""
    with store.connect(settings) as session:
        names = [
            row.table_name
            for row in session.execute(
                "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", (settings.cassandra_keyspace,)
            )
        ]
        return {
            name: sorted(repr(sorted(row.items())) for row in rows(session, name))
            for name in sorted(names)
            if name not in BOOKKEEPING
        }


def check_store(settings: Settings, found: Recount) -> None:
    """Cassandra holds what the recount found: nothing lost, nothing twice, nothing else."""
    with store.connect(settings) as session:
        stored = {
            (event["user_id"], event["event_time"], event["event_id"]): event
            for event in map(stored_event, rows(session, "events_by_user_day"))
        }
        expected = {identity: expected_event(*kept) for identity, kept in found.events.items()}
        assert stored.keys() == expected.keys()
        different = {
            identity: (stored[identity], expected[identity])
            for identity in stored
            if stored[identity] != expected[identity]
        }
        assert not different, list(different.values())[:3]
        counted, wanted = stored_page_minutes(session), page_minutes(found)
        wrong = {key for key in counted.keys() | wanted.keys() if counted.get(key) != wanted.get(key)}
        assert not wrong, [(key, "stored", counted.get(key), "recount", wanted.get(key)) for key in sorted(wrong)][:5]
        _check_dead_letters(session, found)


def _check_dead_letters(session: Session, found: Recount) -> None:
    hour = 3_600_000
    stored = {(row["partition"], row["offset"]): row for row in rows(session, "dead_letters")}
    assert stored.keys() == found.dead.keys()
    for place, (record, reason) in found.dead.items():
        row = stored[place]
        assert row["reason"] == reason, (record, row)
        assert row["detail"]
        assert row["original"] == record.value
        assert row["record_key"] == record.key
        assert of_database(row["received_at"]) == record.received_at
        assert of_database(row["hour"]) == record.received_at // hour * hour
        assert row["shard"] == record.offset % 16


def check_transformed(transformed: Iterable[Record], found: Recount) -> Counter[tuple[int, int]]:
    """Each event is in the transformed topic, by its key, and nothing else is; returns how often by origin."""
    by_source = {(record.partition, record.offset): (record, raw) for record, raw in found.events.values()}
    seen: Counter[tuple[int, int]] = Counter()
    identities: set[Identity] = set()
    for record in transformed:
        assert record.value is not None
        event = json.loads(record.value)
        seen[record.source] += 1
        identities.add((event["user_id"], to_millis(event["event_time"]), event["event_id"]))
        assert (event["source_partition"], event["source_offset"]) == record.source
        assert record.headers["event_id"].decode() == event["event_id"]
        if record.source in by_source:
            source, raw = by_source[record.source]
            assert record.key == source.key
            expected = expected_event(source, raw)
            assert event.get("page_path") == expected["page_path"]
            assert json.loads(event.get("properties", "null")) == expected["properties"]
    assert identities == found.events.keys()
    assert by_source.keys() <= seen.keys()
    assert not seen.keys() & found.dead.keys()
    return seen


def check_rejected(rejected: Iterable[Record], found: Recount) -> Counter[tuple[int, int]]:
    """Each dead letter is in its topic with its bytes, key, reason and origin; returns how often by origin."""
    seen: Counter[tuple[int, int]] = Counter()
    for record in rejected:
        seen[record.source] += 1
        source, reason = found.dead[record.source]
        assert (record.key, record.value) == (source.key, source.value)
        assert record.headers["reason"].decode() == reason
        assert record.headers["detail"]
        assert int(record.headers["received_at"]) == source.received_at
    assert seen.keys() == found.dead.keys()
    return seen
