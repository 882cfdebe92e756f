"""Takes cat photo events from Kafka into the event file, as a member of a consumer group.

Order of things: poll a batch, append it to the file durably, commit its offsets. A crash between the last two leaves
the offsets behind the file; the file knows, and what it has is skipped. The group's offsets are what people see as lag.
"""

from __future__ import annotations

import hashlib
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from clicktrail.brokers import confluent_config
from clicktrail.cats.broker import TIMEOUT_SECONDS, committed_offsets, ensure_topic, topic_ends, unreachable
from clicktrail.cats.simulate import iso
from clicktrail.cats.store import EventStore, FolderBusyError, Record
from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings

logger = logging.getLogger(__name__)

BATCH = 500
ASSIGNMENT_SECONDS = 90.0
"""A group may have to wait until a member that vanished has timed out."""
ANALYTICS_EVERY_SECONDS = 5.0
BUSY_SECONDS = 240.0
"""How long another writer of the folder is waited for."""


@dataclass
class Outcome:
    """What a run of the consumer did."""

    written: int = 0
    polled: int = 0
    partitions: dict[int, int] = field(default_factory=dict)
    """The next offset of each partition."""


def consume(
    settings: Settings,
    folder: Path,
    *,
    follow: bool = False,
    from_beginning: bool = False,
    batch: int = BATCH,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Take events until the topic's end as it was at the start, or for good.

    Args:
        settings: broker, topic and consumer group.
        folder: where the event file and the analytics are; one writer at a time.
        follow: go on at the end of the topic until ``stop`` says so.
        from_beginning: start at the topic's first offset instead of the group's; what the file has is skipped.
        batch: the most messages that are written and committed at once.
        stop: asked about once a second.

    Raises:
        ClicktrailError: the broker does not answer, the folder has a writer, or the topic is another than the file's.
    """
    ensure_topic(settings)
    with EventStore(folder, lambda: datetime.now(UTC)) as store:
        consumer = Consumer(_config(settings, folder), logger=logger)
        try:
            return _Loop(settings, consumer, store, from_beginning).run(follow, batch, stop)
        except KafkaException as error:
            raise unreachable(settings, error) from error
        finally:
            consumer.close()


def drain(settings: Settings, folder: Path, patience: float = BUSY_SECONDS) -> Outcome:
    """Take events until the topic's end as it is now, or wait until the folder's present writer has.

    Raises:
        ClicktrailError: as :func:`consume`, or another writer did not get there within ``patience`` seconds.
    """
    try:
        return consume(settings, folder)
    except FolderBusyError:
        logger.info(
            "another consumer writes into %s: waiting until it has what is in %s now", folder, settings.cat_topic
        )
    ends, deadline = topic_ends(settings), time.monotonic() + patience
    while behind := {n for n, end in ends.items() if committed_offsets(settings).get(n, 0) < end}:
        if time.monotonic() > deadline:
            raise FolderBusyError(
                f"Another cat photo consumer writes into {folder} and has not come to the end of partitions "
                f"{sorted(behind)} in {patience:.0f} s. Stop it: this task then takes the events."
            )
        time.sleep(1.0)
    return Outcome(partitions=ends)


def _config(settings: Settings, folder: Path) -> dict[str, Any]:
    """One folder is one member of the group: a restart takes its place at once and shuts out what is left of it."""
    place = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:12]
    return {
        **confluent_config(settings),
        "group.id": settings.cat_consumer_group,
        "group.instance.id": f"{socket.gethostname()}-{place}",
        "client.id": "cat_photo_consumer",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 2_000,
        "partition.assignment.strategy": "range",
    }


class _Loop:
    """Poll, write, commit; knows how far each assigned partition has come and where it has to get."""

    def __init__(self, settings: Settings, consumer: Consumer, store: EventStore, from_beginning: bool) -> None:
        self._topic = settings.cat_topic
        self._settings = settings
        self._consumer = consumer
        self._store = store
        self._from_beginning = from_beginning
        self._next: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._assigned = False
        self._uncommitted = False
        self._failure: ClicktrailError | None = None

    def run(self, follow: bool, batch: int, stop: Callable[[], bool]) -> Outcome:
        outcome = Outcome()
        self._consumer.subscribe([self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke)
        waiting_since = saved_at = time.monotonic()
        while not stop() and (follow or not self._finished()):
            messages = self._consumer.consume(batch, timeout=1.0)
            if self._failure:
                raise self._failure
            if not self._assigned and time.monotonic() - waiting_since > ASSIGNMENT_SECONDS:
                raise ClicktrailError(
                    f"The group {self._settings.cat_consumer_group} gave this consumer no partition of {self._topic} "
                    f"in {ASSIGNMENT_SECONDS:.0f} s. Is another member of the group running, or the broker away?"
                )
            records = [record for message in messages if (record := self._record(message))]
            outcome.polled += len(records)
            outcome.written += self._store.append(records)
            self._commit(last=False)
            if time.monotonic() - saved_at > ANALYTICS_EVERY_SECONDS:
                self._store.save_analytics()
                saved_at = time.monotonic()
        self._store.save_analytics()
        self._commit(last=True)
        outcome.partitions = dict(sorted(self._next.items()))
        return outcome

    def _record(self, message: Message) -> Record | None:
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                self._advance(partition, offset)
                return None
            raise KafkaException(error)
        self._advance(partition, offset + 1)
        kind, milliseconds = message.timestamp()
        moment = 0 if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds
        return Record(partition, offset, message.value() or b"", iso(datetime.fromtimestamp(moment / 1000, UTC)))

    def _advance(self, partition: int, offset: int) -> None:
        if offset > self._next.get(partition, -1):
            self._next[partition] = offset
            self._uncommitted = True

    def _finished(self) -> bool:
        return self._assigned and all(self._next.get(partition, -1) >= end for partition, end in self._ends.items())

    def _commit(self, last: bool) -> None:
        """Commit what the file has. Within the loop a refusal (the group is being shared out anew) may wait."""
        if not self._uncommitted:
            return
        offsets = [TopicPartition(self._topic, partition, offset) for partition, offset in self._next.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
            self._uncommitted = False
        except KafkaException as error:
            if last or error.args[0].fatal():
                raise
            logger.warning("offsets were not committed, the next commit takes them along: %s", error)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Start behind what the file has and what the group has committed, whichever is further."""
        try:
            committed = consumer.committed(partitions, timeout=TIMEOUT_SECONDS)
            for assigned, known in zip(partitions, committed, strict=True):
                low, high = consumer.get_watermark_offsets(assigned, timeout=TIMEOUT_SECONDS)
                in_file = self._store.tally.next_offsets.get(str(assigned.partition), 0)
                if in_file > high:
                    raise ClicktrailError(
                        f"{self._store.folder} has events of partition {assigned.partition} up to {in_file - 1}, "
                        f"but {self._topic} ends at {high}: the topic was made anew. "
                        "Move the folder away and start again."
                    )
                in_group = 0 if self._from_beginning else max(known.offset, 0)
                start = max(in_file, in_group if in_group <= high else 0)
                assigned.offset = start if start >= low else OFFSET_BEGINNING
                self._next[assigned.partition] = max(start, low)
                self._uncommitted |= in_file > known.offset  # a crash between write and commit left it behind
                self._ends[assigned.partition] = high
            consumer.assign(partitions)
            self._assigned = True
        except ClicktrailError as error:
            self._failure = error
        except KafkaException as error:
            self._failure = unreachable(self._settings, error)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for revoked in partitions:
            self._next.pop(revoked.partition, None)
            self._ends.pop(revoked.partition, None)
        self._assigned = False
