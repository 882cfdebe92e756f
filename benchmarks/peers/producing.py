"""How the peers in Python send: librdkafka's options."""

from __future__ import annotations

from typing import Any

from benchmarks.work import Work


def producer_options(work: Work) -> dict[str, Any]:
    """Options beside the servers' address; they wait less for a full batch where latency counts."""
    return {
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": "lz4",
        "linger.ms": 5 if work.follow else 20,
        "batch.size": 262_144,
        "queue.buffering.max.messages": 200_000,
        "message.max.bytes": 2 * work.max_record_bytes + 65_536,
    }
