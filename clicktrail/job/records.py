"""Kafka's records as Spark reads them, decoded: the Arrow side of :mod:`clicktrail.job.decode`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clicktrail.events import FIELD_NAMES
from clicktrail.job.decode import MAX_KEY_BYTES, Rejection, event, event_cells
from clicktrail.job.times import write_time

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SCHEMA = pa.schema(
    [
        # Of an event, what tells it from others; null in a dead letter.
        pa.field("user_id", pa.string()),
        pa.field("event_time", pa.int64()),  # milliseconds since 1970, as received_at
        pa.field("event_id", pa.string()),
        pa.field("claims", pa.bool_()),  # an identify or alias call
        pa.field("site", pa.string()),  # with page_path, where it is the view of a page
        pa.field("page_path", pa.string()),
        pa.field("is_bot", pa.bool_()),
        pa.field("cells", pa.binary()),  # the row for the event store
        # Of a dead letter, why it is one.
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("source_topic", pa.string()),
        pa.field("source_partition", pa.int32()),
        pa.field("source_offset", pa.int64()),
        pa.field("received_at", pa.int64()),
        pa.field("write_time", pa.int64()),  # microseconds: what the row's cells carry in Cassandra
        pa.field("timestamp_type", pa.int32()),  # Kafka's: 1 where the broker's clock gave received_at
        pa.field("record_key", pa.binary()),
        pa.field("record_value", pa.binary()),  # of an event its JSON, of a dead letter the original bytes
    ]
)
"""Decoded records."""

InArrow = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""A function that Spark runs over Arrow batches (``mapInArrow``)."""

_CLAIMS = frozenset({"identify", "alias"})
_IS_BOT = FIELD_NAMES.index("is_bot") - FIELD_NAMES.index("user_agent")  # in the part that says who the client is
_NO_EVENT = (None,) * 8
_NO_PAGE = (None, None)
_KAFKA = ("key", "value", "topic", "partition", "offset", "timestampType", "timestamp")
_DDL = {pa.string(): "string", pa.binary(): "binary", pa.bool_(): "boolean", pa.int32(): "int", pa.int64(): "long"}


def with_decoded(records: DataFrame, max_record_bytes: int) -> DataFrame:
    """Records of a Kafka source, decoded: the columns of :data:`SCHEMA`, a row a record."""
    return of_kafka(records).mapInArrow(decoder(max_record_bytes), ddl(SCHEMA))


def of_kafka(records: DataFrame) -> DataFrame:
    """The columns of a Kafka source that :func:`decoder` takes."""
    return records.select(*_KAFKA)


def ddl(schema: pa.Schema) -> str:
    """An Arrow schema as Spark's ``mapInArrow`` takes it."""
    return ", ".join(f"{field.name} {_DDL[field.type]}" for field in schema)


def decoder(max_record_bytes: int) -> InArrow:
    """The function that Spark runs over Arrow batches."""

    def decode_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield decode_batch(batch, max_record_bytes)

    return decode_batches


def decode_batch(batch: pa.RecordBatch, max_record_bytes: int) -> pa.RecordBatch:
    """Decode one Arrow batch of records."""
    columns = [batch.column(name) for name in _KAFKA]
    columns[-1] = columns[-1].cast(pa.int64())
    rows = [_row(max_record_bytes, *record) for record in zip(*(column.to_pylist() for column in columns), strict=True)]
    made = zip(*rows, strict=True) if rows else [()] * len(SCHEMA)
    arrays = [pa.array(values, field.type) for values, field in zip(made, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _row(
    max_record_bytes: int,
    key: bytes | None,
    value: bytes | None,
    topic: str,
    partition: int,
    offset: int,
    timestamp_type: int,
    timestamp: int,
) -> tuple[Any, ...]:
    """A row of :data:`SCHEMA`; ``timestamp`` in microseconds."""
    received_at = timestamp // 1_000
    moment = write_time(received_at, offset)
    origin = (topic, partition, offset, received_at, moment, timestamp_type)
    outcome = event(value, key, received_at, topic, partition, offset, max_record_bytes)
    if isinstance(outcome, Rejection):
        # A record that was compressed may be far larger than a topic or a table takes.
        if key is not None and len(key) + len(value or b"") > max_record_bytes:
            key = key[:MAX_KEY_BYTES]
        if value is not None:
            value = value[:max_record_bytes]
        return (*_NO_EVENT, *outcome, *origin, key, value)
    visitor, _, event_time, event_id, kind, *_ = outcome.head
    site, path = outcome.page.values[:2] if kind == "page" else _NO_PAGE
    cells = event_cells(outcome, topic, partition, offset, moment)
    # fmt: off
    return (
        visitor, event_time, event_id, kind in _CLAIMS, site, path, outcome.client.values[_IS_BOT], cells,
        None, None, *origin, key, outcome.json,
    )
    # fmt: on
