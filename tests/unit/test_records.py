"""Batches of raw records, decoded: the Arrow side, without Spark."""

from __future__ import annotations

import json

import pytest

from clicktrail.events import FIELD_NAMES
from clicktrail.job import decode
from clicktrail.job.decode import MAX_KEY_BYTES, Event
from clicktrail.job.records import SCHEMA, decode_batch, decoder
from tests.raw import LIMIT, MINUTE, NOW, Raw, batch, call, decoded
from tests.samples import BAD, BOT_AGENT, SITE, TEXTS, event, to_bytes, value, weird

SAMPLES = [bad.value for bad in BAD] + [weird(name) for name in TEXTS] + [value(messageId="last")]


def test_one_row_in_one_row_out() -> None:
    """All samples in one go: each row is what the plain function makes of it."""
    raw = [Raw(content, offset, partition=offset % 3) for offset, content in enumerate(SAMPLES)]
    table = decoded(*raw)
    assert table.schema.equals(SCHEMA)
    for record, row in zip(raw, table.to_pylist(), strict=True):
        plain = decode.decode(record.value, record.key, NOW, "clicks", record.partition, record.offset)
        fields = plain.fields or {}
        assert (row["reason"], row["detail"]) == (plain.reason, plain.detail)
        assert (row["source_topic"], row["source_partition"], row["source_offset"]) == (
            *("clicks", record.partition, record.offset),
        )
        assert (row["received_at"], row["timestamp_type"], row["record_key"]) == (NOW, 1, b"u-1")
        assert row["write_time"] == NOW * 1_000 + record.offset
        assert row["record_value"] == (record.value if plain.reason else plain.json)
        for name in ("user_id", "event_id", "event_time", "is_bot", "site", "page_path"):
            assert row[name] == fields.get(name), name
        taken = decode.event(record.value, record.key, NOW, "clicks", record.partition, record.offset, LIMIT)
        cells = None
        if isinstance(taken, Event):
            cells = decode.event_cells(taken, "clicks", record.partition, record.offset, row["write_time"])
        assert row["cells"] == cells
    assert {row["reason"] for row in table.to_pylist()} == {None, *(bad.reason.value for bad in BAD)}


def test_an_event_is_told_by_what_the_share_needs() -> None:
    (row,) = decoded(Raw(value(), 1_234, received_at=NOW + 1)).to_pylist()
    assert (row["event_time"], row["received_at"]) == (1_714_557_630_123, NOW + 1)
    assert row["write_time"] == (NOW + 1) * 1_000 + 234
    assert (row["claims"], row["is_bot"], row["site"], row["page_path"]) == (False, False, SITE, "/cart")
    parsed = json.loads(row["record_value"])
    assert parsed["event_time"] == "2024-05-01T10:00:30.123Z"
    assert set(parsed) <= set(FIELD_NAMES)


@pytest.mark.parametrize(
    ("raw", "claims", "is_bot", "page"),
    [
        (call("/a"), False, False, (SITE, "/a")),
        (call("/a", BOT_AGENT), False, True, (SITE, "/a")),
        (call(None), False, False, (None, None)),
        (call("/a", type="track", event="x"), False, False, (None, None)),
        (call("/a", type="screen"), False, False, (None, None)),
        (call("/a", type="identify"), True, False, (None, None)),
        (call("/a", type="alias", previousId="p"), True, False, (None, None)),
        (call("/a", type="group"), False, False, (None, None)),
        (value(context={"page": {"path": "/a"}}), False, False, ("unknown", "/a")),
        (to_bytes(event(context=...)), False, False, (None, None)),
    ],
)
def test_claims_crawlers_and_page_calls(
    raw: bytes, claims: bool, is_bot: bool, page: tuple[str | None, str | None]
) -> None:
    (row,) = decoded(Raw(raw, 1)).to_pylist()
    assert (row["claims"], row["is_bot"], (row["site"], row["page_path"])) == (claims, is_bot, page)
    assert MINUTE <= row["event_time"] < MINUTE + 60_000


def test_no_record_no_row() -> None:
    assert decode_batch(batch(), LIMIT).num_rows == 0
    assert [each.num_rows for each in decoder(LIMIT)([batch(), batch(Raw(value(), 1))])] == [0, 1]


@pytest.mark.parametrize(
    ("content", "key", "kept", "kept_key"),
    [
        (b"x" * 5_000, b"k", b"x" * 2_000, b"k"),
        (b"x" * 10, b"k" * 100_000, b"x" * 10, b"k" * MAX_KEY_BYTES),
        (None, b"k" * 100_000, None, b"k" * MAX_KEY_BYTES),
        (b"x" * 1_990, b"k" * 10, b"x" * 1_990, b"k" * 10),
        (b"x" * 2_001, None, b"x" * 2_000, None),
    ],
)
def test_record_over_the_limit_is_cut_to_it(
    content: bytes | None, key: bytes | None, kept: bytes | None, kept_key: bytes | None
) -> None:
    """A batch that was compressed holds records that are larger than what the sinks take."""
    (row,) = decoded(Raw(content, 5, key=key), limit=2_000).to_pylist()
    assert row["reason"] == ("not_json" if content == kept and key == kept_key else "record_too_large")
    assert row["record_value"] == kept
    assert row["record_key"] == kept_key
