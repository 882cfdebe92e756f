"""One raw record in, one transformed event or one rejection out: the rules of the pipeline in plain Python.

Why Python and not Spark's ``from_json``: that one keeps the first of two objects in a message, the last of two equal
keys, and turns a wrong type or a wrong case into nulls, each time unflagged (docs/decisions/004). The function runs in
an Arrow UDF.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from clicktrail import enrich
from clicktrail.events import FIELD_NAMES, SEGMENT_TYPES, UNKNOWN_SITE
from clicktrail.events import DeadLetterReason as Reason
from clicktrail.job import times
from clicktrail.job.strict_json import Rejected, read_object

MAX_KEY_BYTES = 65_535
"""Cassandra's limit of a key."""
_KEY_OVERHEAD = 64
"""Bytes that the other parts of a composite key and its framing take."""
_ENVELOPE_BYTES = 1_024
"""Allowance for a record's headers and framing, in bytes."""
_INT32 = 2**31

_TOP = frozenset(
    {
        *("type", "event", "name", "category", "messageId", "anonymousId", "userId", "previousId", "groupId"),
        *("timestamp", "sentAt", "receivedAt", "originalTimestamp", "context", "properties", "traits"),
        *("integrations", "version", "channel"),
    }
)
_CONTEXT = frozenset({"page", "userAgent", "ip", "locale", "campaign", "library"})
_PAGE = frozenset({"url", "path", "referrer", "search", "title"})


class Decoded(NamedTuple):
    """What became of a record: an event (``fields``, ``json``), or a rejection (``reason``, ``detail``)."""

    fields: Mapping[str, Any] | None
    """By the names of ``clicktrail.events.FIELDS``; timestamps in milliseconds and ``day`` in days since 1970."""
    json: bytes | None
    """The event as it goes to ``transformed_clickstream``: fields without a value are left out."""
    reason: str | None = None
    detail: str | None = None


def decode(
    value: bytes | None,
    key: bytes | None,
    received_at: int,
    topic: str,
    partition: int,
    offset: int,
    max_record_bytes: int = 1_048_576,
) -> Decoded:
    """Parse, validate, flatten and enrich one record.

    Args:
        value: the record's value, JSON by the Segment spec.
        key: the record's key, only measured.
        received_at: the broker's time (LogAppendTime) in milliseconds since 1970.
        topic: where it was read.
        partition: where it was read.
        offset: where it was read.
        max_record_bytes: largest record that may be produced.
    """
    try:
        size = len(value or b"") + len(key or b"")
        if size > max_record_bytes:  # compressed, it was smaller
            raise Rejected(Reason.RECORD_TOO_LARGE, f"the record has {size} bytes unpacked, over {max_record_bytes}")
        fields = _flatten(read_object(value), received_at)
        fields["source_topic"] = topic
        fields["source_partition"] = partition
        fields["source_offset"] = offset
        text = _to_json(fields)
        if len(text) + len(key or b"") + _ENVELOPE_BYTES > max_record_bytes:
            raise Rejected(Reason.RECORD_TOO_LARGE, f"the event would have {len(text)} bytes, over {max_record_bytes}")
    except Rejected as rejected:
        return Decoded(None, None, rejected.reason.value, rejected.detail)
    return Decoded(fields, text)


def _to_json(fields: Mapping[str, Any]) -> bytes:
    shown = {name: value for name, value in fields.items() if value is not None}
    shown["day"] = times.iso_day(shown["day"])
    shown["event_time"] = times.iso(shown["event_time"])
    shown["received_at"] = times.iso(shown["received_at"])
    if "sent_at" in shown:
        shown["sent_at"] = times.iso(shown["sent_at"])
    return orjson.dumps(shown)


def _flatten(raw: dict[str, Any], received_at: int) -> dict[str, Any]:
    _check_case(raw, _TOP, "")
    kind = _text(raw, "type", "")
    if kind not in SEGMENT_TYPES:
        raise Rejected(
            Reason.UNKNOWN_TYPE,
            f"type {kind[:60]!r} is none of {', '.join(sorted(SEGMENT_TYPES))}" if kind else "type is missing",
        )
    event_id = _key(raw, "messageId", Reason.MISSING_MESSAGE_ID)
    visitor = _visitor(raw)
    if raw.get("timestamp") is None:
        raise Rejected(Reason.MISSING_TIMESTAMP, "timestamp is missing")
    event_time = times.checked(times.milliseconds(raw["timestamp"], "timestamp"), received_at)
    fields = dict.fromkeys(FIELD_NAMES)  # all of them, in their order
    fields["user_id"] = visitor
    fields["day"] = event_time // times.MILLISECONDS_A_DAY
    fields["event_time"] = event_time
    fields["event_id"] = event_id
    fields["event_type"] = kind
    fields["event_name"] = _text(raw, "event", "") or _text(raw, "name", "")
    fields["anonymous_id"] = _text(raw, "anonymousId", "")
    fields["previous_id"] = _text(raw, "previousId", "")
    fields["received_at"] = received_at
    fields["sent_at"] = _sent_at(raw.get("sentAt"))
    _add_context(fields, _object(raw, "context", ""))
    _add_properties(fields, _object(raw, "properties", "") or _object(raw, "traits", ""))
    return fields


def _visitor(raw: dict[str, Any]) -> str:
    user, anonymous = raw.get("userId"), raw.get("anonymousId")
    if user is None and anonymous is None:
        raise Rejected(Reason.MISSING_VISITOR, "neither userId nor anonymousId is there")
    return _key(raw, "userId" if user or anonymous is None else "anonymousId", Reason.MISSING_VISITOR)


def _key(raw: dict[str, Any], name: str, missing: Reason) -> str:
    key = raw.get(name)
    if key is None:
        raise Rejected(missing, f"{name} is missing")
    if type(key) is not str:
        raise Rejected(Reason.WRONG_TYPE, f"{name} must be a text, not {type(key).__name__}")
    if not key:
        raise Rejected(Reason.EMPTY_KEY, f"{name} is empty")
    _check_key_length(name, key)
    return key


def _check_key_length(name: str, *parts: str) -> None:
    if sum(map(len, parts)) > 16_000 and sum(len(part.encode()) for part in parts) > MAX_KEY_BYTES - _KEY_OVERHEAD:
        raise Rejected(Reason.KEY_TOO_LONG, f"{name} is longer than {MAX_KEY_BYTES - _KEY_OVERHEAD} bytes")


def _check_case(raw: dict[str, Any], known: frozenset[str], where: str) -> None:
    """A key that differs from a known one by case alone is a mistake, and would be lost in silence."""
    if raw.keys() <= known:
        return
    lower = _LOWER[known]
    for key in raw:
        meant = None if key in known else lower.get(key.lower())
        if meant is not None and meant not in raw:
            raise Rejected(Reason.WRONG_CASE, f"the key {where}{key} must be written {where}{meant}")


_LOWER = {known: {key.lower(): key for key in known} for known in (_TOP, _CONTEXT, _PAGE)}


def _text(raw: dict[str, Any], name: str, where: str) -> str | None:
    value = raw.get(name)
    if type(value) is str:
        return value or None
    if value is None:
        return None
    raise Rejected(Reason.WRONG_TYPE, f"{where}{name} must be a text, not {type(value).__name__}")


def _object(raw: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    value = raw.get(name)
    if value is None:
        return {}
    if type(value) is not dict:
        raise Rejected(Reason.WRONG_TYPE, f"{where}{name} must be an object, not {type(value).__name__}")
    return value


def _sent_at(value: object) -> int | None:
    """``sentAt`` where it can be read and lies between the years 2000 and 9999."""
    try:
        moment = None if value is None else times.milliseconds(value, "sentAt")
    except Rejected as rejected:
        if rejected.reason is Reason.WRONG_TYPE:
            raise
        return None
    return moment if moment is not None and times.YEAR_2000 <= moment < times.YEAR_10000 else None


def _add_context(fields: dict[str, Any], context: dict[str, Any]) -> None:
    _check_case(context, _CONTEXT, "context.")
    page = _object(context, "page", "context.")
    _check_case(page, _PAGE, "context.page.")
    where = enrich.page(
        _text(page, "url", "context.page."),
        _text(page, "path", "context.page."),
        _text(page, "search", "context.page."),
    )
    if where.path is not None:
        fields["site"] = where.host or UNKNOWN_SITE
        fields["page_path"] = where.path
        _check_key_length("the page's site and path", fields["site"], where.path)
    fields["page_query"] = where.query
    fields["page_title"] = _text(page, "title", "context.page.")
    referrer = enrich.referrer(_text(page, "referrer", "context.page."), where.host)
    fields["referrer"] = referrer.url
    fields["referrer_medium"] = referrer.medium
    fields["referrer_source"] = referrer.source
    campaign = enrich.campaign(_campaign(context), where.raw_query)
    fields["campaign_source"] = campaign.source
    fields["campaign_medium"] = campaign.medium
    fields["campaign_name"] = campaign.name
    fields["campaign_term"] = campaign.term
    fields["campaign_content"] = campaign.content
    fields["click_id_type"] = campaign.click_id_type
    user_agent = _text(context, "userAgent", "context.")
    client = enrich.user_agent(user_agent)
    fields["user_agent"] = user_agent
    fields["browser"] = client.browser
    fields["os"] = client.os
    fields["device_type"] = client.device_type
    fields["is_bot"] = client.is_bot
    address = enrich.address(_text(context, "ip", "context."))
    fields["network"] = address.network
    fields["country"] = address.country
    fields["locale"] = _text(context, "locale", "context.")


def _campaign(context: dict[str, Any]) -> dict[str, str | None] | None:
    given = _object(context, "campaign", "context.")
    if not given:
        return None
    return {name: _text(given, name, "context.campaign.") for name in ("source", "medium", "name", "term", "content")}


def _add_properties(fields: dict[str, Any], given: dict[str, Any]) -> None:
    if not given:
        return
    fields["product_id"] = _identifier(given, "product_id")
    fields["category"] = _text(given, "category", "properties.")
    fields["price"] = _number(given, "price")
    fields["quantity"] = _quantity(given)
    fields["order_id"] = _identifier(given, "order_id")
    revenue = _number(given, "revenue")
    fields["revenue"] = _number(given, "total") if revenue is None else revenue
    fields["currency"] = _text(given, "currency", "properties.")
    fields["search_query"] = _text(given, "query", "properties.")
    if fields["product_id"] is not None:
        fields["product_name"] = _text(given, "name", "properties.")
    fields["properties"] = orjson.dumps(given).decode()


def _identifier(given: dict[str, Any], name: str) -> str | None:
    value = given.get(name)
    return str(value) if type(value) is int else _text(given, name, "properties.")


def _number(given: dict[str, Any], name: str) -> float | None:
    value = given.get(name)
    if value is None or type(value) is float:
        return value
    if type(value) is not int:
        raise Rejected(Reason.WRONG_TYPE, f"properties.{name} must be a number, not {type(value).__name__}")
    return float(value)


def _quantity(given: dict[str, Any]) -> int | None:
    value = _number(given, "quantity")
    if value is None:
        return None
    if value != value // 1:
        raise Rejected(Reason.WRONG_TYPE, f"properties.quantity must be a whole number, not {value}")
    if not -_INT32 <= value < _INT32:
        raise Rejected(Reason.NUMBER_OUT_OF_RANGE, f"properties.quantity {value:.6g} does not fit into 32 bits")
    return int(value)
