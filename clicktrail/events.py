"""What a transformed event is, declared once.

The Spark schema, the columns of ``events_by_user_day``, the documentation and the JSON of ``transformed_clickstream``
all come from :data:`FIELDS`. A raw event is JSON by the Segment spec; :mod:`clicktrail.job.decode` turns one into the
other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SEGMENT_TYPES = frozenset({"page", "track", "identify", "screen", "group", "alias"})
"""The calls of the Segment spec that the pipeline takes."""

UNKNOWN_SITE = "unknown"
"""Stands for the site of a page that came without a host."""


@dataclass(frozen=True)
class Field:
    """One field of a transformed event."""

    name: str
    kind: str
    """``text``, ``timestamp`` (UTC, milliseconds), ``date``, ``boolean``, ``int``, ``bigint`` or ``double``."""
    meaning: str
    required: bool = False


FIELDS: tuple[Field, ...] = (
    Field("user_id", "text", "the visitor: `userId`, else `anonymousId`; also the Kafka key", True),
    Field("day", "date", "UTC date of `event_time`", True),
    Field("event_time", "timestamp", "when it happened, by the client's clock (`timestamp`)", True),
    Field("event_id", "text", "`messageId`", True),
    Field("event_type", "text", "`type`: page, track, identify, screen, group or alias", True),
    Field("event_name", "text", "`event` of a track call, `name` of a page or screen call"),
    Field("anonymous_id", "text", "`anonymousId`"),
    Field("previous_id", "text", "`previousId` of an alias call"),
    Field("received_at", "timestamp", "when the broker took it (LogAppendTime)", True),
    Field("sent_at", "timestamp", "when the client sent it (`sentAt`), where it can be read"),
    Field("site", "text", "host of the page's address, lower case, without port; `unknown` where a page has none"),
    Field("page_path", "text", "path of the page"),
    Field("page_query", "text", "query of the page without what may be personal"),
    Field("page_title", "text", "`context.page.title`"),
    Field("referrer", "text", "address of the page before, without query"),
    Field("referrer_medium", "text", "search, social, mail, ai_assistant, internal, direct or other"),
    Field("referrer_source", "text", "name of the referring service, or its host"),
    Field("campaign_source", "text", "`context.campaign.source`, else `utm_source`"),
    Field("campaign_medium", "text", "`context.campaign.medium`, else `utm_medium`"),
    Field("campaign_name", "text", "`context.campaign.name`, else `utm_campaign`"),
    Field("campaign_term", "text", "`context.campaign.term`, else `utm_term`"),
    Field("campaign_content", "text", "`context.campaign.content`, else `utm_content`"),
    Field("click_id_type", "text", "which advertiser's click id the address had: gclid, fbclid, …"),
    Field("user_agent", "text", "`context.userAgent`"),
    Field("browser", "text", "browser's family, by ua-parser"),
    Field("os", "text", "operating system's family, by ua-parser"),
    Field("device_type", "text", "desktop, mobile, tablet, bot or other"),
    Field("is_bot", "boolean", "a crawler, by its user agent; flagged, never dropped", True),
    Field("network", "text", "`context.ip` cut to /24 (IPv4) or /48 (IPv6)"),
    Field("country", "text", "ISO 3166 code of the address's country"),
    Field("locale", "text", "`context.locale`"),
    Field("product_id", "text", "`properties.product_id`"),
    Field("product_name", "text", "`properties.name` of an event about a product"),
    Field("category", "text", "`properties.category`"),
    Field("price", "double", "`properties.price`"),
    Field("quantity", "int", "`properties.quantity`"),
    Field("order_id", "text", "`properties.order_id`"),
    Field("revenue", "double", "`properties.revenue`, else `properties.total`"),
    Field("currency", "text", "`properties.currency`"),
    Field("search_query", "text", "`properties.query`"),
    Field("properties", "text", "all of `properties` (of an identify or group call: `traits`), as JSON"),
    Field("source_topic", "text", "topic that it was read from", True),
    Field("source_partition", "int", "partition of that topic", True),
    Field("source_offset", "bigint", "offset in that partition", True),
)

FIELD_NAMES: tuple[str, ...] = tuple(field.name for field in FIELDS)

IDENTITY: tuple[str, ...] = ("user_id", "day", "event_time", "event_id")
"""What makes an event this event, and its primary key; ``day`` follows from ``event_time``."""


class DeadLetterReason(StrEnum):
    """Why a record was rejected. The values are stable: machines may rely on them."""

    NULL_VALUE = "null_value"
    EMPTY_VALUE = "empty_value"
    INVALID_UTF8 = "invalid_utf8"
    TRUNCATED_JSON = "truncated_json"
    NOT_JSON = "not_json"
    TRAILING_DATA = "trailing_data"
    NOT_AN_OBJECT = "not_an_object"
    DUPLICATE_KEYS = "duplicate_keys"
    TOO_DEEP = "too_deep"
    NOT_A_NUMBER = "not_a_number"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    WRONG_CASE = "wrong_case"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_TYPE = "unknown_type"
    MISSING_MESSAGE_ID = "missing_message_id"
    MISSING_VISITOR = "missing_visitor"
    MISSING_TIMESTAMP = "missing_timestamp"
    EMPTY_KEY = "empty_key"
    KEY_TOO_LONG = "key_too_long"
    UNREADABLE_TIME = "unreadable_time"
    TIME_IN_SECONDS = "time_in_seconds"
    TIME_BEFORE_2000 = "time_before_2000"
    TIME_IN_FUTURE = "time_in_future"
    RECORD_TOO_LARGE = "record_too_large"


def spark_schema() -> Any:
    """The ``StructType`` of a transformed event, in the order of :data:`FIELDS`."""
    from pyspark.sql import types as T

    kinds = {
        "text": T.StringType(),
        "timestamp": T.TimestampType(),
        "date": T.DateType(),
        "boolean": T.BooleanType(),
        "int": T.IntegerType(),
        "bigint": T.LongType(),
        "double": T.DoubleType(),
    }
    return T.StructType([T.StructField(field.name, kinds[field.kind], not field.required) for field in FIELDS])


def document() -> str:
    """The page that explains a transformed event: ``docs/transformed_clickstream.md``."""
    rows = "\n".join(
        f"| `{field.name}` | {field.kind} | {'yes' if field.required else ''} | {field.meaning} |" for field in FIELDS
    )
    return _PAGE.format(rows=rows, identity=", ".join(f"`{name}`" for name in IDENTITY))


_PAGE = """# `transformed_clickstream`: what a transformed event says

<!-- Made by `python -m clicktrail.events` from clicktrail/events.py; do not edit. -->

A record's key is the visitor (`user_id`), as it was in the source topic. Its value is one flat JSON object in UTF-8
with the fields below; a field without a value is left out. Its headers are `source_topic`, `source_partition`,
`source_offset` and `event_id`, as text. `events_by_user_day` in Cassandra has the same fields as columns.

In JSON a `timestamp` is ISO 8601 in UTC with milliseconds (`2026-11-21T10:15:00.123Z`), a `date` is `2026-11-21`; `int`
and `bigint` are whole numbers. The types are those of CQL.

What makes an event this event is {identity}.
The topic is at-least-once: the same event can appear again, with the same of these; the later by `received_at` is the
one to keep.

| field | type | always there | meaning |
|---|---|---|---|
{rows}

How the derived fields come about, and from which sources, is in [decision 030](decisions/030-enrichment.md).
"""


if __name__ == "__main__":
    from pathlib import Path

    (Path(__file__).resolve().parent.parent / "docs" / "transformed_clickstream.md").write_text(
        document(), encoding="utf-8"
    )
