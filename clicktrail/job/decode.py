"""One raw record in, one transformed event or one rejection out: the rules of the pipeline in plain Python.

Why Python and not Spark's ``from_json``: that one keeps the first of two objects in a message, the last of two equal
keys, and turns a wrong type or a wrong case into nulls, each time unflagged (docs/decisions/004). The function runs in
an Arrow UDF, and is the largest cost of the pipeline: what an ordinary event passes through is written flat, and calls
the checks (:mod:`clicktrail.job.checks`) only where a value is not what it should be.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from orjson import dumps

from clicktrail.events import FIELD_NAMES, SEGMENT_TYPES
from clicktrail.events import DeadLetterReason as Reason
from clicktrail.job import cells, checks, parts, times
from clicktrail.job.checks import MAX_KEY_BYTES, SHORT_KEY
from clicktrail.job.strict_json import Rejected, read_object

__all__ = ["MAX_KEY_BYTES", "Decoded", "Event", "Rejection", "decode", "event", "event_cells"]

_ENVELOPE_BYTES = 1_024
"""Allowance for a record's headers and framing, in bytes."""

_TOP = frozenset(
    {
        *("type", "event", "name", "category", "messageId", "anonymousId", "userId", "previousId", "groupId"),
        *("timestamp", "sentAt", "receivedAt", "originalTimestamp", "context", "properties", "traits"),
        *("integrations", "version", "channel"),
    }
)
_CONTEXT = frozenset({"page", "userAgent", "ip", "locale", "campaign", "library"})


class Rejection(NamedTuple):
    """Why a record is none of ours."""

    reason: str
    detail: str


class Event(NamedTuple):
    """A record that was taken: its parts, and what they are joined to."""

    head: tuple[Any, ...]
    """The values of the fields up to ``sent_at``."""
    page: parts.Part
    client: parts.Part
    properties: parts.Part
    json: bytes


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
    outcome = event(value, key, received_at, topic, partition, offset, max_record_bytes)
    if isinstance(outcome, Rejection):
        return Decoded(None, None, *outcome)
    head, page, client, properties, text = outcome
    row = (*head, *page.values, *client.values, *properties.values, topic, partition, offset)
    return Decoded(dict(zip(FIELD_NAMES, row, strict=True)), text)


def event(
    value: bytes | None,
    key: bytes | None,
    received_at: int,
    topic: str,
    partition: int,
    offset: int,
    max_record_bytes: int,
) -> Event | Rejection:
    """As :func:`decode`, for many records."""
    key_bytes = len(key) if key else 0
    try:
        size = len(value) + key_bytes if value else key_bytes
        if size > max_record_bytes:  # compressed, it was smaller
            raise Rejected(Reason.RECORD_TOO_LARGE, f"the record has {size} bytes unpacked, over {max_record_bytes}")
        raw = read_object(value)
        if not _TOP.issuperset(raw):
            checks.case(raw, _TOP, "")
        head, head_json = _head(raw, received_at)
        context = raw.get("context")
        if type(context) is not dict:
            context = checks.an_object(raw, "context", "")
        elif not _CONTEXT.issuperset(context):
            checks.case(context, _CONTEXT, "context.")
        page_of, client_of, properties_of = parts.KEPT if size <= parts.LONGEST else parts.FRESH
        get = context.get
        page = page_of(dumps((get("page"), get("campaign"))))
        client = client_of(dumps((get("userAgent"), get("ip"), get("locale"))))
        given = checks.an_object(raw, "properties", "") or checks.an_object(raw, "traits", "")
        properties = properties_of(dumps(given)) if given else parts.NO_PROPERTIES
        source_json = b"%b%d}" % (_source(topic, partition), offset)
        text = b"".join((head_json, page.json, client.json, properties.json, source_json))
        if len(text) + key_bytes + _ENVELOPE_BYTES > max_record_bytes:
            raise Rejected(Reason.RECORD_TOO_LARGE, f"the event would have {len(text)} bytes, over {max_record_bytes}")
    except Rejected as rejected:
        return Rejection(rejected.reason.value, rejected.detail)
    return Event(head, page, client, properties, text)


def event_cells(taken: Event, topic: str, partition: int, offset: int, write_time: int) -> bytes:
    """An event as a row for the event store: the cells of all fields, and of the write time."""
    return b"".join(
        (
            cells.head(taken.head),
            taken.page.cells,
            taken.client.cells,
            taken.properties.cells,
            _source_cells(topic, partition),
            cells.tail(offset, write_time),
        )
    )


@lru_cache(maxsize=1_024)
def _source_cells(topic: str, partition: int) -> bytes:
    return cells.encode(("text", "int"), (topic, partition))


def _head(raw: dict[str, Any], received_at: int) -> tuple[tuple[Any, ...], bytes]:
    """The fields up to ``sent_at``, and their JSON without the closing brace."""
    get = raw.get
    kind = get("type")
    if type(kind) is not str or kind not in SEGMENT_TYPES:
        raise _unknown_type(raw)
    event_id = get("messageId")
    if type(event_id) is not str or not 0 < len(event_id) <= SHORT_KEY:
        event_id = checks.key(raw, "messageId", Reason.MISSING_MESSAGE_ID)
    anonymous = get("anonymousId")
    visitor = get("userId") or anonymous
    if type(visitor) is not str or not 0 < len(visitor) <= SHORT_KEY:
        visitor = _visitor(raw)
    event_time, event_text = _event_time(get("timestamp"), received_at)
    name = _event_name(raw)
    if type(anonymous) is not str or not anonymous:
        anonymous = checks.text(raw, "anonymousId", "")
    previous = checks.text(raw, "previousId", "") if "previousId" in raw else None
    sent_at, sent_text = _sent_at(get("sentAt"))
    shown = {
        "user_id": visitor,
        "day": event_text[:10],
        "event_time": event_text,
        "event_id": event_id,
        "event_type": kind,
    }
    if name:
        shown["event_name"] = name
    if anonymous:
        shown["anonymous_id"] = anonymous
    if previous:
        shown["previous_id"] = previous
    shown["received_at"] = _iso(received_at)
    if sent_text:
        shown["sent_at"] = sent_text
    day = event_time // times.MILLISECONDS_A_DAY
    values = (visitor, day, event_time, event_id, kind, name, anonymous, previous, received_at, sent_at)
    return values, dumps(shown)[:-1]


def _event_name(raw: dict[str, Any]) -> str | None:
    name = raw.get("event")
    if name is None:
        name = raw.get("name")
    if type(name) is str and name:
        return name
    return checks.text(raw, "event", "") or checks.text(raw, "name", "")


@lru_cache(maxsize=1_024)
def _iso(received_at: int) -> str:
    """The broker's times come in order, many records with the same."""
    return times.iso(received_at)


@lru_cache(maxsize=1_024)
def _source(topic: str, partition: int) -> bytes:
    shown = {"source_topic": topic, "source_partition": partition}
    return b"," + dumps(shown)[1:-1] + b',"source_offset":'


def _unknown_type(raw: dict[str, Any]) -> Rejected:
    kind = checks.text(raw, "type", "")
    known = ", ".join(sorted(SEGMENT_TYPES))
    return Rejected(Reason.UNKNOWN_TYPE, f"type {kind[:60]!r} is none of {known}" if kind else "type is missing")


def _visitor(raw: dict[str, Any]) -> str:
    user, anonymous = raw.get("userId"), raw.get("anonymousId")
    if user is None and anonymous is None:
        raise Rejected(Reason.MISSING_VISITOR, "neither userId nor anonymousId is there")
    return checks.key(raw, "userId" if user or anonymous is None else "anonymousId", Reason.MISSING_VISITOR)


def _event_time(value: Any, received_at: int) -> tuple[int, str]:
    """In milliseconds, and as text."""
    moment = times.canonical(value) if type(value) is str else None
    if moment is not None:
        if not times.YEAR_2000 <= moment <= received_at + times.TOLERANCE:
            times.checked(moment, received_at)
        return moment, value
    if value is None:
        raise Rejected(Reason.MISSING_TIMESTAMP, "timestamp is missing")
    moment = times.checked(times.milliseconds(value, "timestamp"), received_at)
    return moment, times.iso(moment)


def _sent_at(value: Any) -> tuple[int, str] | tuple[None, None]:
    """In milliseconds, and as text, where it can be read and lies between the years 2000 and 9999."""
    if value is None:
        return None, None
    moment = times.canonical(value) if type(value) is str else None
    if moment is not None and moment >= times.YEAR_2000:
        return moment, value
    try:
        moment = times.milliseconds(value, "sentAt")
    except Rejected as rejected:
        if rejected.reason is Reason.WRONG_TYPE:
            raise
        return None, None
    return (moment, times.iso(moment)) if times.YEAR_2000 <= moment < times.YEAR_10000 else (None, None)
