"""The event store: which rows go into one request, and what is read back of a stored event."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from cassandra.protocol import ColumnMetadata
from cassandra.query import PreparedStatement

from clicktrail.events import FIELD_NAMES, FIELDS
from clicktrail.job import cells
from clicktrail.job.derive.cql import BATCH_BYTES, BATCH_PARTITIONS
from clicktrail.job.derive.encoding import EncodedBatch
from clicktrail.job.event_store import EventStore, Stored, VisitorDay
from tests.raw import MINUTE, NOW, Raw, call, decoded
from tests.samples import BOT_AGENT, SITE, value
from tests.tables import DRIVERS, Events, Tables

DAY = 19_844
Place = Callable[[bytes], list[str]]


class Session:
    """Prepares the INSERT as Cassandra describes it, and knows which servers hold a key."""

    def __init__(self, replicas: Place = lambda _: ["one"]) -> None:
        self.cluster = SimpleNamespace(metadata=SimpleNamespace(get_replicas=lambda _, key: replicas(key)))

    def prepare(self, statement: str) -> PreparedStatement:
        kinds = [*(field.kind for field in FIELDS), "bigint"]
        columns = [
            ColumnMetadata("k", "events_by_user_day", name, DRIVERS[kind])
            for name, kind in zip((*FIELD_NAMES, "[timestamp]"), kinds, strict=True)
        ]
        return PreparedStatement(columns, b"insert", [0, 1], statement, "k", 5, columns, b"")


def batches(rows: list[tuple[VisitorDay, bytes]], replicas: Place = lambda _: ["one"]) -> list[EncodedBatch]:
    return list(EventStore(Session(replicas))._batches(rows))


def sent(batch: EncodedBatch) -> list[bytes]:
    """The rows of a batch."""
    return list(batch._statements_and_parameters[1::2])


def user(number: int) -> VisitorDay:
    return VisitorDay(f"u-{number:03d}", DAY)


def test_small_partitions_go_together_up_to_a_number() -> None:
    rows = [(user(number), b"%03d %d" % (number, each)) for number in range(25) for each in range(2)]
    found = batches(rows)
    assert [len(sent(batch)) for batch in found] == [2 * BATCH_PARTITIONS, 2 * BATCH_PARTITIONS, 10]
    assert [row for batch in found for row in sent(batch)] == [row for _, row in rows]


def test_batches_are_bounded_and_a_row_that_is_larger_goes_alone() -> None:
    overhead = 60 + 24 * (len(FIELDS) + 1)
    two, three = (BATCH_BYTES - 2 * overhead) // 2, (BATCH_BYTES - 3 * overhead) // 3
    assert [len(sent(b)) for b in batches([(user(1), b"x" * two)] * 5)] == [2, 2, 1]
    assert [len(sent(b)) for b in batches([(user(n), b"x" * (two + 1)) for n in range(3)])] == [1, 1, 1]
    assert [len(sent(b)) for b in batches([(user(1), b"x" * three)] * 4)] == [3, 1]
    rows = [b"small", b"x" * 10 * BATCH_BYTES, b"after"]
    assert [sent(b) for b in batches([(user(1), row) for row in rows])] == [[row] for row in rows]
    assert all(batch.size <= BATCH_BYTES for batch in batches([(user(n // 7), b"x" * 900) for n in range(100)]))


def test_a_batch_has_partitions_of_the_same_servers() -> None:
    def replicas(key: bytes) -> list[str]:
        return ["a", "b"] if int(key[4:7]) % 2 else ["b", "c"]

    rows = [(user(number), b"%d" % number) for number in range(30)]
    found = batches(rows, replicas)
    assert [[int(row) % 2 for row in sent(batch)] for batch in found] == [[0] * 10, [1] * 10, [0] * 5, [1] * 5]
    assert sorted(row for batch in found for row in sent(batch)) == sorted(row for _, row in rows)
    for batch in found:
        assert replicas(batch.routing_key) == replicas(b"\0\5" + b"u-%03d" % int(sent(batch)[0]))
        assert batch.keyspace == "k"


def test_no_rows_no_batch() -> None:
    assert batches([]) == []


@pytest.mark.parametrize("day", [VisitorDay("é🛒", DAY), VisitorDay("u" * 65_000, 0), VisitorDay("u", 10_957)])
def test_the_routing_key_is_the_drivers(day: VisitorDay) -> None:
    (batch,) = batches([(day, b"x")])
    bound = Session().prepare("").bind((day.user_id, day.day + 2**31))
    assert batch.routing_key == bound.routing_key


# ---- what is stored


def stored(*raw: Raw) -> tuple[Events, list[dict[str, Any]]]:
    events, rows = Events(Tables()), decoded(*raw).to_pylist()
    events.write((VisitorDay(row["user_id"], row["event_time"] // 86_400_000), row["cells"]) for row in rows)
    return events, rows


def test_stored_events_are_found_by_their_keys() -> None:
    events, _ = stored(
        Raw(call("/a", messageId="page"), 1_007),
        Raw(call("/b", BOT_AGENT, messageId="bot"), 2, 0, NOW + 1),
        Raw(call(None, messageId="no page"), 3),
        Raw(call("/a", messageId="typed", type="track"), 4),
        Raw(call("/a", messageId="other visitor", userId="u-2"), 5),
        Raw(call("/a", messageId="not asked for"), 6),
    )
    time = MINUTE + 30_000
    names = ("page", "bot", "no page", "typed", "other visitor", "unknown")
    wanted = {VisitorDay("u-1", DAY): [(time, name) for name in names], VisitorDay("u-3", DAY): [(time, "page")]}
    found = events.read(wanted)
    assert found[VisitorDay("u-3", DAY)] == {}
    assert {name: known[:3] for (_, name), known in found[VisitorDay("u-1", DAY)].items()} == {
        "page": (NOW * 1_000 + 7, (SITE, "/a"), False),
        "bot": ((NOW + 1) * 1_000 + 2, (SITE, "/b"), True),
        "no page": (NOW * 1_000 + 3, None, False),
        "typed": (NOW * 1_000 + 4, None, False),
    }
    assert {time for time, _ in found[VisitorDay("u-1", DAY)]} == {time}


def test_many_keys_of_a_day_are_asked_for_in_pieces() -> None:
    keys = [(MINUTE + number, "m-1") for number in range(120)]
    events, _ = stored(*(Raw(value(timestamp=time), n) for n, (time, _) in enumerate(keys)))
    found = events.read({VisitorDay("u-1", DAY): keys})[VisitorDay("u-1", DAY)]
    assert sorted(found) == keys
    assert [len(key[2]) for _, key in events.tables.asked] == [50, 50, 20]


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        (value(), value(), False),
        (value(), value(event="named"), False),
        (value(event="named"), value(), True),
        (value(event="named"), value(event="other"), False),
        (value(), value(properties={}), True),
        (value(), value(sentAt=...), True),
        (value(), value(context={}), True),
    ],
)
def test_whether_a_value_would_be_kept(before: bytes, after: bytes, kept: bool) -> None:
    events, rows = stored(Raw(before, 1))
    key = (rows[0]["event_time"], "m-1")
    known = events.read({VisitorDay("u-1", DAY): [key]})[VisitorDay("u-1", DAY)][key]
    assert isinstance(known, Stored)
    row = decoded(Raw(after, 2)).to_pylist()[0]["cells"]
    assert known.would_keep(row) is kept
    assert not known.would_keep(cells.erasing(cells.split(row)))
