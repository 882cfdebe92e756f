"""The hand-written consumer: confluent-kafka, orjson and the Cassandra driver, a process for each share of partitions.

It uses clicktrail's own ``decode``. A chunk of records is decoded and sent to Kafka, its rows are written to Cassandra
in batches of one partition, and when both have acknowledged the chunk's offsets are committed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from types import FrameType
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from benchmarks.peers.producing import producer_options
from benchmarks.peers.rows import Row, Store
from benchmarks.work import Work
from clicktrail.job.decode import decode
from clicktrail.job.times import write_time

CHUNK = int(os.environ.get("PEER_CHUNK", "20000"))
"""Records that are taken on at once: more of them hold more rows of one partition."""
ROWS_PER_BATCH = int(os.environ.get("PEER_ROWS", "50"))
CONCURRENCY = int(os.environ.get("PEER_CONCURRENCY", "64"))


class Peer:
    """One process's share."""

    def __init__(self, work: Work, number: int) -> None:
        self._work = work
        self._store = Store(work)
        self._consumer = Consumer(
            {
                "bootstrap.servers": work.bootstrap,
                "group.id": work.group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "queued.max.messages.kbytes": 65_536,
            }
        )
        self._producer = Producer({"bootstrap.servers": work.bootstrap} | producer_options(work))
        self._failed: Any = None
        self.stopping = False
        mine = range(number, work.partitions, work.workers)
        committed = self._consumer.committed([TopicPartition(work.source_topic, each) for each in mine], 60)
        self._next = {each.partition: max(each.offset, 0) for each in committed}
        self._ends = {
            each: self._consumer.get_watermark_offsets(TopicPartition(work.source_topic, each), 60)[1] for each in mine
        }
        self._consumer.assign([TopicPartition(work.source_topic, *each) for each in self._next.items()])

    def run(self) -> None:
        """Until the end, or until it is told to stop."""
        while not self.stopping and (self._work.follow or self._behind()):
            messages = self._consumer.consume(CHUNK, 0.02 if self._work.follow else 0.2)
            if messages:
                self._take(messages)
        self._consumer.close()
        self._store.close()

    def _behind(self) -> bool:
        return any(position < self._ends[partition] for partition, position in self._next.items())

    def _take(self, messages: list[Message]) -> None:
        rows: list[Row] = []
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            self._decode(message, rows)
        self._store.write(rows, ROWS_PER_BATCH, CONCURRENCY)
        if self._producer.flush(120):
            raise SystemExit("Kafka did not acknowledge in time")
        if self._failed is not None:
            raise KafkaException(self._failed)
        topic = self._work.source_topic
        self._consumer.commit(offsets=[TopicPartition(topic, *each) for each in self._next.items()], asynchronous=False)

    def _decode(self, message: Message, rows: list[Row]) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        value, key, received_at = message.value(), message.key(), message.timestamp()[1]
        decoded = decode(value, key, received_at, topic, partition, offset, self._work.max_record_bytes)
        headers: list[tuple[str, str | bytes | None]] = [
            ("source_topic", topic),
            ("source_partition", str(partition)),
            ("source_offset", str(offset)),
        ]
        if decoded.fields is not None:
            rows.append((decoded.fields, write_time(received_at, offset)))
            target, value = self._work.transformed_topic, decoded.json
            headers.append(("event_id", decoded.fields["event_id"]))
        else:
            target = self._work.dead_letter_topic
            headers = [("reason", decoded.reason), ("detail", decoded.detail), *headers]
            headers.append(("received_at", str(received_at)))
        self._send(target, key, value, headers)
        self._next[partition] = offset + 1

    def _send(self, topic: str, key: Any, value: Any, headers: Any) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, headers=headers, on_delivery=self._delivered)
                return
            except BufferError:
                self._producer.poll(0.05)

    def _delivered(self, error: Any, message: Message) -> None:
        if error is not None:
            self._failed = error


def work_on(work: Work, number: int) -> None:
    """One process."""
    peer = Peer(work, number)

    def stop(signum: int, frame: FrameType | None) -> None:
        peer.stopping = True

    signal.signal(signal.SIGTERM, stop)
    peer.run()


def main() -> int:
    """Start the processes, and pass SIGTERM on to them."""
    work = Work.from_env()
    children = [multiprocessing.Process(target=work_on, args=(work, number)) for number in range(work.workers)]
    for child in children:
        child.start()

    def stop(signum: int, frame: FrameType | None) -> None:
        for child in children:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    for child in children:
        child.join()
    return max(abs(child.exitcode or 0) for child in children)


if __name__ == "__main__":
    sys.exit(main())
