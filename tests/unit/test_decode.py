from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from clicktrail.events import FIELD_NAMES, FIELDS, SEGMENT_TYPES, DeadLetterReason
from clicktrail.job.decode import Decoded, decode
from tests import samples
from tests.samples import BAD, LONGEST_KEY, TEXTS, Bad, event, page, to_bytes, value, weird, with_property

NOW = 1_714_557_635_000  # 2024-05-01T10:00:35Z, five seconds after the sample event
LIMIT = 1_048_576


def decoded(raw: bytes | None, received_at: int = NOW, key: bytes | None = b"u-1") -> Decoded:
    return decode(raw, key, received_at, "user_clickstream", 3, 17)


def accepted(raw: bytes, received_at: int = NOW) -> dict[str, Any]:
    outcome = decoded(raw, received_at)
    assert outcome.reason is None, outcome.detail
    assert outcome.fields is not None
    return dict(outcome.fields)


def shown(outcome: Decoded) -> dict[str, Any]:
    assert outcome.json is not None
    parsed: dict[str, Any] = json.loads(outcome.json)
    return parsed


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_bad_input_has_its_own_reason(bad: Bad) -> None:
    outcome = decoded(bad.value)
    assert outcome.reason == bad.reason, outcome.detail
    assert outcome.fields is None
    assert outcome.json is None
    assert outcome.detail
    assert len(outcome.detail) < 400


def test_each_reason_is_reached() -> None:
    assert {bad.reason for bad in BAD} == set(DeadLetterReason)


def test_event_is_flattened() -> None:
    fields = accepted(value())
    expected = {
        "user_id": "u-1",
        "day": 19_844,
        "event_time": 1_714_557_630_123,
        "event_id": "m-1",
        "event_type": "page",
        "anonymous_id": "a-1",
        "received_at": NOW,
        "sent_at": 1_714_557_631_000,
        "site": "shop.example",
        "page_path": "/cart",
        "page_title": "Cart",
        "referrer_medium": "internal",
        "browser": "Chrome",
        "os": "Windows",
        "device_type": "desktop",
        "is_bot": False,
        "user_agent": samples.AGENT,
        "network": "192.0.2.0/24",
        "locale": "en-GB",
        "product_id": "p-9",
        "product_name": "Hat",
        "price": 12.5,
        "quantity": 2,
        "source_topic": "user_clickstream",
        "source_partition": 3,
        "source_offset": 17,
    }
    assert {name: fields[name] for name in expected} == expected
    assert json.loads(fields["properties"]) == event()["properties"]
    assert set(fields) <= set(FIELD_NAMES)


def test_json_has_the_times_as_text_and_nothing_empty() -> None:
    parsed = shown(decoded(value()))
    assert parsed["event_time"] == "2024-05-01T10:00:30.123Z"
    assert parsed["received_at"] == "2024-05-01T10:00:35.000Z"
    assert parsed["sent_at"] == "2024-05-01T10:00:31.000Z"
    assert parsed["day"] == "2024-05-01"
    assert None not in parsed.values()
    assert "order_id" not in parsed
    assert list(parsed) == [name for name in FIELD_NAMES if name in parsed]


@pytest.mark.parametrize("kind", sorted(SEGMENT_TYPES))
def test_all_types_of_the_spec_are_taken(kind: str) -> None:
    assert accepted(value(type=kind))["event_type"] == kind


def test_least_that_an_event_needs() -> None:
    raw = {"type": "track", "messageId": "m", "anonymousId": "a", "timestamp": "2024-05-01"}
    fields = accepted(to_bytes(raw))
    assert fields["user_id"] == "a"
    assert {field.name for field in FIELDS if field.required} <= {n for n, v in fields.items() if v is not None}


@pytest.mark.parametrize(
    ("changes", "visitor"),
    [
        ({}, "u-1"),
        ({"userId": None}, "a-1"),
        ({"userId": ...}, "a-1"),
        ({"userId": ""}, "a-1"),
        ({"anonymousId": ...}, "u-1"),
    ],
)
def test_visitor_is_the_user_else_the_anonymous_one(changes: dict[str, Any], visitor: str) -> None:
    assert accepted(value(**changes))["user_id"] == visitor


def test_exact_repeat_is_the_same_event_again() -> None:
    first, again = decoded(value()), decode(value(), b"u-1", NOW + 60_000, "user_clickstream", 1, 400)
    assert first.fields is not None
    assert again.fields is not None
    for name in ("user_id", "day", "event_time", "event_id"):
        assert first.fields[name] == again.fields[name]


def test_late_by_years_is_an_event() -> None:
    assert accepted(value(), received_at=NOW + 20 * 365 * 86_400_000)["event_time"] == 1_714_557_630_123


def test_clock_of_a_client_may_be_an_hour_ahead() -> None:
    hour = 3_600_000
    event_time = 1_714_557_630_123
    assert accepted(value(), received_at=event_time - hour)["event_time"] == event_time
    assert decoded(value(), received_at=event_time - hour - 1).reason == "time_in_future"


@pytest.mark.parametrize("name", TEXTS)
def test_strange_text_arrives_as_it_is(name: str) -> None:
    text = TEXTS[name]
    outcome = decoded(weird(name))
    assert outcome.reason is None, outcome.detail
    assert outcome.fields is not None
    fields = outcome.fields
    assert fields["user_id"] == f"u {text}"
    assert fields["event_id"] == f"m {text}"
    for field in ("anonymous_id", "event_name", "page_title", "user_agent", "locale", "category", "search_query"):
        assert fields[field] == text
    assert json.loads(fields["properties"])[text] == text
    parsed = shown(outcome)
    assert parsed["page_title"] == text
    assert json.loads(parsed["properties"])[text] == text


@pytest.mark.parametrize("name", ["userId", "messageId"])
def test_longest_key_is_taken(name: str) -> None:
    field = {"userId": "user_id", "messageId": "event_id"}[name]
    assert accepted(value(**{name: "k" * LONGEST_KEY}))[field] == "k" * LONGEST_KEY
    assert decoded(value(**{name: "k" * (LONGEST_KEY + 1)})).reason == "key_too_long"


def test_site_and_path_are_one_key() -> None:
    path = "/" + "p" * 65_000
    assert accepted(page(url="https://a.example" + path))["page_path"] == path
    assert decoded(page(url=f"https://{'a' * 60}.example{path}{'p' * 450}")).reason == "key_too_long"


def test_largest_event_that_fits() -> None:
    key = b"u-1"
    room = LIMIT - 1_024 - len(key)
    without = decoded(value(properties={"x": ""})).json
    assert without is not None
    fits = room - len(without)
    outcome = decoded(value(properties={"x": "y" * fits}))
    assert outcome.json is not None
    assert len(outcome.json) == room
    assert decoded(value(properties={"x": "y" * (fits + 1)})).reason == "record_too_large"


def test_record_that_was_compressed_is_measured_unpacked() -> None:
    assert decoded(b"x" * (LIMIT + 1)).reason == "record_too_large"
    assert decoded(None, key=b"k" * (LIMIT + 1)).reason == "record_too_large"


def test_nesting_and_numbers_at_their_limits() -> None:
    deepest = with_property('{"a":' * 98 + "1" + "}" * 98)
    assert decoded(deepest).reason is None
    assert decoded(with_property('{"a":' * 99 + "1" + "}" * 99)).reason == "too_deep"
    numbers = {"min": -(2**63), "max": 2**63 - 1, "big": 1.7976931348623157e308, "small": 5e-324, "round": 1e19}
    fields = accepted(value(properties=numbers))
    assert json.loads(fields["properties"]) == numbers
    assert accepted(value(properties={"quantity": 2**31 - 1}))["quantity"] == 2**31 - 1
    assert accepted(value(properties={"quantity": 3.0}))["quantity"] == 3


@pytest.mark.parametrize("first", [1, 1.0, True])
def test_what_was_seen_before_changes_no_event(first: object) -> None:
    """Numbers that Python takes for the same are told apart, whichever came first."""
    seen = [decoded(value(properties={"product_id": each, "seen": str(first)})) for each in (first, 1, 1.0, True, 1)]
    assert [outcome.reason for outcome in seen[1:]] == [None, "wrong_type", "wrong_type", None]
    assert seen[1] == seen[4]
    texts = [json.loads(decoded(value(properties={"n": each})).json or b"")["properties"] for each in (1, 1.0, True)]
    assert texts == ['{"n":1}', '{"n":1.0}', '{"n":true}']


@pytest.mark.parametrize("sent_at", [1e300, -(10**17), "0001-01-01T00:00:00Z", "soon", "", 1_714_557_600])
def test_sent_at_that_cannot_be_read_is_left_out(sent_at: object) -> None:
    assert accepted(value(sentAt=sent_at))["sent_at"] is None


def test_keys_that_nobody_knows_are_no_mistake() -> None:
    assert decoded(value(writeKey="w", Extra=1, context={"device": {"ID": 1}, "page": {"Lang": "de"}})).reason is None


def test_text_that_looks_like_keys_is_no_repeated_key() -> None:
    assert decoded(value(properties={"text": '"a": 1, "a": 2, "userId":'})).reason is None


@pytest.mark.parametrize("ascii_only", [False, True])
def test_each_cut_is_called_truncated(ascii_only: bool) -> None:
    whole = json.dumps(event(event="é 🛒", flags=[True, False, None, -1.5e3]), ensure_ascii=ascii_only).encode()
    assert decoded(whole).reason is None
    reasons = {decoded(whole[:end]).reason for end in range(1, len(whole))}
    assert reasons == {"truncated_json"}


# ---- seeded random input: never an exception, always an event or a rejection

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**64, 10**30, 0.1, -0.0, 1e300, 1e-320,
    "", " ", "x", "\x00", "🛒", "page", "2024-05-01T10:00:00Z", "-1", "NaN", "https://", "//", "http://[::1", "%zz",
    "?utm_source=%ff", "a" * 70_000, "192.0.2.1", "::ffff:1.2.3.4", "999.1.1.1",
    [], [[]], [None], {}, {"": ""}, {"a": {"b": []}}, {"url": 5}, {"path": "/x", "url": "nonsense"},
]  # fmt: skip


def _paths(node: Any, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(node, dict):
        return []
    return [path for key in node for path in [(*above, key), *_paths(node[key], (*above, key))]]


def mutated(source: random.Random) -> bytes:
    """A valid event with one to four changes to its content, and sometimes to its bytes."""
    raw = copy.deepcopy(event(context=event()["context"] | {"campaign": {"source": "s", "name": "n"}}, traits={}))
    for _ in range(source.randint(1, 4)):
        path = source.choice(_paths(raw))
        node = raw
        for key in path[:-1]:
            node = node[key]
        match source.randrange(4):
            case 0:
                del node[path[-1]]
            case 1:
                node[source.choice([path[-1].upper(), path[-1] + "\x00", "name", "price", "revenue"])] = node.pop(
                    path[-1]
                )
            case _:
                node[path[-1]] = source.choice(VALUES)
        if not raw:
            break
    data = bytearray(to_bytes(raw))
    if source.random() < 0.5:
        for _ in range(source.randint(1, 3)):
            at = source.randrange(len(data) + 1)
            data[at : at + source.randint(0, 3)] = source.randbytes(source.randint(0, 3))
    return bytes(data)


@pytest.mark.parametrize("seed", range(8))
def test_random_changes_give_an_event_or_a_rejection(seed: int) -> None:
    source = random.Random(seed)
    outcomes = {"good": 0, "bad": 0}
    for _ in range(500):
        raw = mutated(source)
        outcome = decoded(raw, received_at=NOW + source.randint(0, 10**12))
        if outcome.reason is not None:
            outcomes["bad"] += 1
            assert outcome.reason in set(DeadLetterReason)
            assert outcome.fields is None
            assert outcome.detail
            outcome.detail.encode()
            continue
        outcomes["good"] += 1
        _check_sound(outcome)
    assert min(outcomes.values()) > 50


def _check_sound(outcome: Decoded) -> None:
    """An event's JSON says the same as its fields, and each field has the type that it is declared with."""
    assert outcome.fields is not None
    kinds = {"text": str, "timestamp": int, "date": int, "boolean": bool, "int": int, "bigint": int, "double": float}
    given = {name: content for name, content in outcome.fields.items() if content is not None}
    for field in FIELDS:
        assert not field.required or field.name in given, field.name
        if field.name in given:
            assert type(given[field.name]) is kinds[field.kind], field.name
    parsed = shown(outcome)
    assert parsed.keys() == given.keys()
    texts = {field.name for field in FIELDS if field.kind in {"timestamp", "date"}}
    assert {n: v for n, v in parsed.items() if n not in texts} == {n: v for n, v in given.items() if n not in texts}
    for name in texts & parsed.keys():
        assert parsed[name].startswith("20") or name == "sent_at"


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_never_raise(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(500):
        assert decoded(source.randbytes(source.randint(0, 60))).reason is not None
