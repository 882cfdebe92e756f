from __future__ import annotations

import json
import random
from typing import Any

import orjson
import pytest

from clicktrail.events import DeadLetterReason as Reason
from clicktrail.job.strict_json import MAX_DEPTH, Rejected, read_object


def reason(value: bytes | None) -> Reason | None:
    try:
        read_object(value)
    except Rejected as rejected:
        return rejected.reason
    return None


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        (b"{}", {}),
        (b' \n{"a": 1}\t ', {"a": 1}),
        (b'{"a" : 1, "b"\n: {"a":2}}', {"a": 1, "b": {"a": 2}}),
        (b'{"": "", " ": " "}', {"": "", " ": " "}),
        (b'{"text": "\\": \\\\\\": {}"}', {"text": '": \\": {}'}),
        (b'{"a\\": ": 1, "a": 2}', {'a": ': 1, "a": 2}),
        ('{"é": "🛒", "\\ud83d\\uded2": "\\u0000"}'.encode(), {"é": "🛒", "🛒": "\x00"}),
        (b'{"list": [1, -0.5, 1E3, true, false, null, [{"a": 1}, {"a": 1}]]}',
         {"list": [1, -0.5, 1e3, True, False, None, [{"a": 1}, {"a": 1}]]}),
        (b'{"low": -9223372036854775808, "high": 9223372036854775807}', {"low": -(2**63), "high": 2**63 - 1}),
        (b'{"float": 1e19, "zero": 1e-400}', {"float": 1e19, "zero": 0.0}),
    ],
)  # fmt: skip
def test_sound_objects_are_read(value: bytes, parsed: dict[str, Any]) -> None:
    assert read_object(value) == parsed


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, Reason.NULL_VALUE),
        (b"", Reason.EMPTY_VALUE),
        (b"\n", Reason.EMPTY_VALUE),
        (b"\xff", Reason.INVALID_UTF8),
        (b'{"a": "\xc0\x80"}', Reason.INVALID_UTF8),
        (b"{", Reason.TRUNCATED_JSON),
        (b'{"a": tr', Reason.TRUNCATED_JSON),
        (b'{"a": "\\u00', Reason.TRUNCATED_JSON),
        (b"{}{}", Reason.TRAILING_DATA),
        (b"{} x", Reason.TRAILING_DATA),
        (b"{}\x00", Reason.TRAILING_DATA),
        (b"[]", Reason.NOT_AN_OBJECT),
        (b"false", Reason.NOT_AN_OBJECT),
        (b"{a: 1}", Reason.NOT_JSON),
        (b'{"a": 01}', Reason.NOT_JSON),
        (b'{"a": .5}', Reason.NOT_JSON),
        (b'{"a": "\t"}', Reason.NOT_JSON),
        (b"\xef\xbb\xbf{}", Reason.NOT_JSON),
        (b'{"a": 1, "a": 1}', Reason.DUPLICATE_KEYS),
        (b'{"a": 1, "\\u0061": 1}', Reason.DUPLICATE_KEYS),
        (b'{"a"\t: 1, "a"\r\n: 1}', Reason.DUPLICATE_KEYS),
        (b'{"x": {"a": {"b": 1, "b": 2}}}', Reason.DUPLICATE_KEYS),
        (b'{"a": 1, "a": 1, "t": "\\" :"}', Reason.DUPLICATE_KEYS),
        (b'{"a": NaN}', Reason.NOT_A_NUMBER),
        (b'{"a": Infinity}', Reason.NOT_A_NUMBER),
        (b'{"a": 9223372036854775808}', Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a": 18446744073709551615}', Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a": -9223372036854775809}', Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a": [1e999]}', Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a":' * 2_000 + b"1" + b"}" * 2_000, Reason.TOO_DEEP),
    ],
)  # fmt: skip
def test_unsound_values_are_rejected(value: bytes | None, expected: Reason) -> None:
    assert reason(value) is expected


def test_depth_limit() -> None:
    assert reason(b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH) is None
    assert reason(b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1)) is Reason.TOO_DEEP


def random_value(source: random.Random, depth: int = 0) -> Any:
    """Whatever JSON can say, with texts that look like keys."""
    texts = ["", "a", '":', '" :', '\\":', "🛒", "\x00", '{"a": 1, "a": 1}']
    if depth < 4 and source.random() < 0.6:
        size = source.randint(0, 4)
        if source.random() < 0.3:
            return [random_value(source, depth + 1) for _ in range(size)]
        return {source.choice(texts) + str(n): random_value(source, depth + 1) for n in range(size)}
    return source.choice([*texts, 1, -1.5, 2**63 - 1, 1e300, True, None])


@pytest.mark.parametrize("seed", range(4))
def test_what_is_written_is_read_again_whatever_the_spaces(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(300):
        written = {"v": random_value(source)}
        for text in (
            orjson.dumps(written),
            json.dumps(written, indent=1, separators=(" , ", " : ")).encode(),
            json.dumps(written, ensure_ascii=False).encode(),
        ):
            assert read_object(text) == written


@pytest.mark.parametrize("seed", range(4))
def test_a_repeated_key_is_found_wherever_it_is(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(300):
        inner = json.dumps(random_value(source))
        spaces = source.choice(["", " ", "\n"])
        doubled = f'{{"k":{inner},"x":1,"k"{spaces}:{inner}}}'
        for _ in range(source.randint(0, 3)):
            doubled = source.choice([f'{{"o":{doubled},"t":"\\":"}}', f'{{"l":[{inner},{doubled}]}}'])
        assert reason(doubled.encode()) is Reason.DUPLICATE_KEYS
