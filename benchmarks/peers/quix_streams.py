"""Quix Streams with a sink for Cassandra; runs in the environment of ``benchmarks/requirements.lock``.

One chain without branches (Quix copies values into each branch): decode, send to the topic that the outcome belongs to,
keep the events, sink. Quix flushes sink and producer at each checkpoint, and commits the offsets after that.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import time
from types import FrameType
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from quixstreams import Application, message_context  # type: ignore[import-not-found,unused-ignore]
from quixstreams.models import BytesDeserializer, Serializer  # type: ignore[import-not-found,unused-ignore]
from quixstreams.sinks.base import BatchingSink, SinkBatch  # type: ignore[import-not-found,unused-ignore]

from benchmarks.peers.producing import producer_options
from benchmarks.peers.rows import Store
from benchmarks.work import Work
from clicktrail.job.decode import Decoded, decode
from clicktrail.job.times import write_time

COMMIT_EVERY = int(os.environ.get("PEER_CHUNK", "20000"))
ROWS_PER_BATCH = int(os.environ.get("PEER_ROWS", "50"))
CONCURRENCY = int(os.environ.get("PEER_CONCURRENCY", "64"))
_LOOK = 0.2  # seconds between two looks at what is committed

Outcome = tuple[Decoded, bytes | None, int]
"""What ``decode`` says, the original value, and the write time."""
Headers = list[tuple[str, bytes]]


class CassandraSink(BatchingSink):  # type: ignore[misc]  # not in the environment that is checked
    """Writes the events of a checkpoint."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work

    def setup(self) -> None:
        """Connect."""
        self._store = Store(self._work)

    def write(self, batch: SinkBatch) -> None:
        """Write a partition's events since the last checkpoint, and wait for the acknowledgements."""
        rows = [(item.value[0].fields, item.value[2]) for item in batch]
        self._store.write(rows, ROWS_PER_BATCH, CONCURRENCY)


class ValueOf(Serializer):  # type: ignore[misc]  # not in the environment that is checked
    """An outcome as the value of its record: the event's JSON, or the original bytes."""

    def __call__(self, value: Outcome, ctx: Any) -> bytes | None:
        """The bytes."""
        decoded, original, _ = value
        return original if decoded.fields is None else decoded.json


class Raw(BytesDeserializer):  # type: ignore[misc]  # not in the environment that is checked
    """The bytes of a record, also where there are none: a record without a value is a dead letter too."""

    @property
    def split_values(self) -> bool:
        """One row for each record."""
        return False


def application(work: Work) -> Application:
    """The application, its chain ready to run."""
    app = Application(
        broker_address=work.bootstrap,
        consumer_group=work.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        commit_every=COMMIT_EVERY,
        commit_interval=0.25 if work.follow else 1.0,
        consumer_poll_timeout=0.05,
        loglevel="WARNING",
        state_dir=f"{work.scratch}/quix-state-{os.getpid()}",
        consumer_extra_config={"fetch.wait.max.ms": 50, "queued.max.messages.kbytes": 65_536},
        producer_extra_config=producer_options(work),
    )
    source = app.topic(work.source_topic, value_deserializer=Raw(), key_deserializer="bytes")
    good = app.topic(work.transformed_topic, value_serializer=ValueOf(), key_serializer="bytes")
    bad = app.topic(work.dead_letter_topic, value_serializer=ValueOf(), key_serializer="bytes")

    def decoded(value: bytes | None, key: bytes | None, received_at: int, headers: object) -> Outcome:
        where = message_context()
        partition, offset = where.partition, where.offset
        outcome = decode(value, key, received_at, work.source_topic, partition, offset, work.max_record_bytes)
        return outcome, value, write_time(received_at, offset)

    def headers_of(value: Outcome, key: object, received_at: int, headers: object) -> Headers:
        return _headers(work, value[0], received_at)

    chain = app.dataframe(source).apply(decoded, metadata=True)
    chain = chain.set_headers(headers_of)
    chain = chain.to_topic(lambda value, *_: bad if value[0].fields is None else good)
    chain = chain.filter(lambda value: value[0].fields is not None)
    chain.sink(CassandraSink(work))
    return app


def _headers(work: Work, decoded: Decoded, received_at: int) -> Headers:
    where = message_context()
    source = [
        ("source_topic", work.source_topic.encode()),
        ("source_partition", str(where.partition).encode()),
        ("source_offset", str(where.offset).encode()),
    ]
    if decoded.fields is not None:
        return [*source, ("event_id", decoded.fields["event_id"].encode())]
    return [
        ("reason", (decoded.reason or "").encode()),
        ("detail", (decoded.detail or "").encode()),
        *source,
        ("received_at", str(received_at).encode()),
    ]


def run(work: Work) -> None:
    """One process: until SIGTERM, which Quix answers with a last checkpoint."""
    logging.getLogger("cassandra").setLevel(logging.ERROR)
    application(work).run()


class Progress:
    """What the group has committed, against where the topic ended at the start."""

    def __init__(self, work: Work) -> None:
        self._consumer = Consumer({"bootstrap.servers": work.bootstrap, "group.id": work.group})
        self._partitions = [TopicPartition(work.source_topic, each) for each in range(work.partitions)]
        self._ends = [self._consumer.get_watermark_offsets(each, 60)[1] for each in self._partitions]

    def reached(self) -> bool:
        """Whether all of it is committed."""
        committed = self._consumer.committed(self._partitions, 60)
        return all(each.offset >= end or end == 0 for each, end in zip(committed, self._ends, strict=True))


def main() -> int:
    """Start the processes; stop them at the end, or pass SIGTERM on."""
    work = Work.from_env()
    children = [multiprocessing.Process(target=run, args=(work,)) for _ in range(work.workers)]
    for child in children:
        child.start()
    stopping = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    progress = None if work.follow else Progress(work)
    while not stopping and all(child.is_alive() for child in children) and not (progress and progress.reached()):
        time.sleep(_LOOK)
    failed = not all(child.is_alive() for child in children)
    for child in children:
        child.terminate()
    for child in children:
        child.join()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
