"""Dead letters as rows of ``dead_letters``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from clicktrail.dead_letters import SHARDS
from clicktrail.job.derive.cql import Write, insert

_TABLE = "dead_letters"
_HOUR = 3_600_000
_PLACE = ("hour", "shard", "topic", "partition", "offset")
_COLUMNS = (*_PLACE, "reason", "detail", "original", "record_key", "received_at")


def writes(rejected: Iterable[dict[str, Any]]) -> Iterator[Write]:
    """The rows of rejected records (``records.SCHEMA``)."""
    statement = insert(_TABLE, _COLUMNS)
    for record in rejected:
        received_at, offset = record["received_at"], record["source_offset"]
        place = (received_at - received_at % _HOUR, offset % SHARDS)
        yield Write(
            (_TABLE, *place),
            statement,
            (
                *place,
                record["source_topic"],
                record["source_partition"],
                offset,
                record["reason"],
                record["detail"],
                record["record_value"],
                record["record_key"],
                received_at,
                record["write_time"],
            ),
        )
