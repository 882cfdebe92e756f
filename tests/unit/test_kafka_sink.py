"""Which messages become of decoded records; tests/integration has them sent."""

from __future__ import annotations

from collections import Counter

from clicktrail.job.kafka_sink import Record, outgoing
from tests.raw import NOW, Raw, call, decoded
from tests.samples import value


def messages(*raw: Raw) -> list[Record]:
    found = list(outgoing(decoded(*raw), "good", "bad"))
    assert all(len(dict(each.headers)) == len(each.headers) for each in found)
    return found


def test_events_go_with_their_key_and_say_where_they_are_from() -> None:
    first, second = messages(Raw(value(messageId="é🛒"), 35, 2, key=b"a key"), Raw(value(messageId="b"), 36, key=None))
    assert (first.topic, first.key) == ("good", b"a key")
    assert '"event_id":"é🛒"'.encode() in (first.value or b"")
    assert dict(first.headers) == {
        "source_topic": b"clicks",
        "source_partition": b"2",
        "source_offset": b"35",
        "event_id": "é🛒".encode(),
    }
    assert (second.topic, second.key, dict(second.headers)["source_offset"]) == ("good", None, b"36")


def test_dead_letters_go_as_they_came() -> None:
    first, second = messages(Raw(b"\xff\x00", 35, 2, NOW, key=None), Raw(None, 16, 1, NOW + 1, key=b"\xfe"))
    assert (first.topic, first.key, first.value) == ("bad", None, b"\xff\x00")
    assert dict(first.headers) == {
        "reason": b"invalid_utf8",
        "detail": b"not UTF-8 at byte 0",
        "source_topic": b"clicks",
        "source_partition": b"2",
        "source_offset": b"35",
        "received_at": str(NOW).encode(),
    }
    assert (second.topic, second.key, second.value) == ("bad", b"\xfe", None)
    assert dict(second.headers)["reason"] == b"null_value"


def test_events_and_dead_letters_go_to_topics_of_their_own() -> None:
    events = [Raw(call("/a", messageId=str(n), userId=f"u-{n % 7}"), n) for n in range(50)]
    assert Counter(each.topic for each in messages(*events, Raw(b"x", 50))) == {"good": 50, "bad": 1}


def test_records_keep_their_order_over_any_number() -> None:
    found = messages(*(Raw(value(messageId=str(n)), n) for n in range(2_500)))
    assert [int(dict(each.headers)["source_offset"]) for each in found] == list(range(2_500))
