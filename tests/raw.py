"""Raw records as Kafka has them, and what the decoder makes of them, as Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from clicktrail.job.records import decode_batch
from tests.samples import AGENT, SITE, value

NOW = 1_714_557_635_000  # 2024-05-01T10:00:35Z, five seconds after the sample event
MINUTE = 1_714_557_600_000  # 2024-05-01T10:00:00Z, the sample event's minute
HOUR = 3_600_000
LIMIT = 1_048_576


@dataclass(frozen=True)
class Raw:
    """One record; ``received_at`` in milliseconds since 1970."""

    value: bytes | None
    offset: int
    partition: int = 0
    received_at: int = NOW
    key: bytes | None = b"u-1"
    timestamp_type: int = 1


def batch(*raw: Raw) -> pa.RecordBatch:
    """The records as Spark hands them to the decoder."""
    columns: dict[str, Any] = {
        "key": pa.array([r.key for r in raw], pa.binary()),
        "value": pa.array([r.value for r in raw], pa.binary()),
        "topic": pa.array(["clicks"] * len(raw), pa.string()),
        "partition": pa.array([r.partition for r in raw], pa.int32()),
        "offset": pa.array([r.offset for r in raw], pa.int64()),
        "timestamp": pa.array([r.received_at * 1_000 for r in raw], pa.timestamp("us", tz="UTC")),
        "timestampType": pa.array([r.timestamp_type for r in raw], pa.int32()),
    }
    return pa.RecordBatch.from_pydict(columns)


def decoded(*raw: Raw, limit: int = LIMIT) -> pa.Table:
    """The records, decoded."""
    return pa.Table.from_batches([decode_batch(batch(*raw), limit)])


def call(path: str | None, agent: str = AGENT, second: int = 30, **changes: Any) -> bytes:
    """A page call of the sample visitor; ``None``: of no page that is known."""
    page = {"url": f"https://{SITE}{path}"} if path else {"title": "nowhere"}
    context = {"page": page, "userAgent": agent}
    return value(**{"context": context, "timestamp": f"2024-05-01T10:0{second // 60}:{second % 60:02d}Z"} | changes)
