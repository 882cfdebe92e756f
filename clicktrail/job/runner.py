"""Runs the streaming query: wires the lease, the sinks and the trigger, and sees the run to its end."""

from __future__ import annotations

import logging
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cassandra import DriverException
from cassandra.cluster import NoHostAvailable, Session

from clicktrail import store
from clicktrail.errors import REDONE, ClicktrailError
from clicktrail.job import ledger
from clicktrail.job.batch import BatchWriter
from clicktrail.job.derive.refresh import Answers
from clicktrail.job.lease import Lease
from clicktrail.job.progress import ProgressCommitter, offsets_of
from clicktrail.job.session import kafka_options
from clicktrail.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

logger = logging.getLogger(__name__)

AVAILABLE_NOW = "available-now"
_INTERVAL = re.compile(r"\d+(ms|s|m)")
_EMPTIED = ("/tmp", "/var/tmp", "/run", "/dev/shm")
_CAUSE = re.compile(
    r"^(?:: |Caused by: )?((?:java|com\.datastax|cassandra|org\.apache\.kafka)\.[\w.$]+: [^\n]+)", re.MULTILINE
)
"""The line of a stack trace, Java's or Python's, that names the failure behind it."""
_LOOK = 1  # seconds between two looks at a running query
_SWITCH = 0.0005
"""Seconds after which Python's threads take turns: a batch asks the JVM for some fifty small things, and after each it
would wait ten times as long for the thread that makes the answers."""
_FETCH_WAIT = "10"
"""Milliseconds that the broker may wait for records. A batch's records are all there; a request that waits for more of
them holds up the next batch's."""


@dataclass(frozen=True)
class Run:
    """How to run: ``trigger`` is ``available-now`` or an interval such as ``1s``; ``max_minutes`` 0 means for good."""

    trigger: str = AVAILABLE_NOW
    max_minutes: float = 0.0

    def __post_init__(self) -> None:
        """Validate; raises ClicktrailError."""
        if self.trigger != AVAILABLE_NOW and not _INTERVAL.fullmatch(self.trigger):
            raise ClicktrailError(f"--trigger must be available-now or an interval such as 1s, not {self.trigger!r}")

    @property
    def spark_trigger(self) -> dict[str, Any]:
        """The arguments of Spark's ``trigger``."""
        if self.trigger == AVAILABLE_NOW:
            return {"availableNow": True}
        number, unit = re.fullmatch(r"(\d+)(ms|s|m)", self.trigger).groups()  # type: ignore[union-attr]
        names = {"ms": "milliseconds", "s": "seconds", "m": "minutes"}
        return {"processingTime": f"{number} {names[unit]}"}


def checked_checkpoint(settings: Settings) -> str:
    """The checkpoint's path.

    Raises:
        ClicktrailError: it is not set, or lies where a reboot empties.
    """
    path = settings.checkpoint_dir
    if not path:
        raise ClicktrailError("set CLICKTRAIL_CHECKPOINT_DIR: the folder (or URL) where the job keeps its checkpoint")
    if "://" not in path:
        inside = Path(path).resolve()
        emptied = [Path(folder).resolve() for folder in (*_EMPTIED, tempfile.gettempdir())]
        if any(map(inside.is_relative_to, emptied)) and not inside.is_relative_to(settings.home.resolve()):
            raise ClicktrailError(
                f"CLICKTRAIL_CHECKPOINT_DIR is {path}, which a reboot empties. Choose a folder that lasts: "
                "without its checkpoint the job reads the whole topic again"
            )
    return path


def run(spark: SparkSession, settings: Settings, how: Run) -> None:
    """Run the job to its end: until it has caught up, or ``max_minutes`` are over, or it is stopped.

    Raises:
        LeaseHeldError: another driver is running; nothing was written.
        LeaseLostError: another driver took over.
        ClicktrailError: bad settings, or a failure of the query, said in one sentence.
    """
    checkpoint = checked_checkpoint(settings)
    sys.setswitchinterval(_SWITCH)
    try:
        with store.connect(settings) as session:
            store.check_tables(session)
            with _lease(session, settings) as lease:
                _run(spark, settings, how, checkpoint, session, lease)
    except (DriverException, NoHostAvailable) as error:
        raise ClicktrailError(_cassandra_failed(error)) from error


def _run(spark: SparkSession, settings: Settings, how: Run, checkpoint: str, session: Session, lease: Lease) -> None:
    answers = Answers(spark, settings, session, lease)
    writer = BatchWriter(settings, session, lease, [answers])
    query = _start(spark, settings, how, checkpoint, writer)
    try:
        _follow(query, settings, lease, how, writer, answers)
    finally:
        query.stop()
    _raise_failure(query)
    with writer.lock:  # a batch that was stopped may still be at work
        answers.refresh()


@contextmanager
def _lease(session: Session, settings: Settings) -> Iterator[Lease]:
    lease = Lease(session, ledger.QUERY, settings.lease_seconds)
    lease.acquire()
    try:
        yield lease
    finally:
        lease.release()


def _start(spark: SparkSession, settings: Settings, how: Run, checkpoint: str, writer: BatchWriter) -> StreamingQuery:
    source = kafka_options(settings) | {
        "subscribe": settings.source_topic,
        "startingOffsets": "earliest",
        "maxOffsetsPerTrigger": str(settings.max_offsets_per_batch),
        "failOnDataLoss": "true",
        "kafka.fetch.max.wait.ms": _FETCH_WAIT,
    }
    records = spark.readStream.format("kafka").options(**source).load()
    return (
        records.writeStream.queryName(ledger.QUERY)
        .foreachBatch(writer)
        .option("checkpointLocation", checkpoint)
        .trigger(**how.spark_trigger)
        .start()
    )


def _follow(
    query: StreamingQuery, settings: Settings, lease: Lease, how: Run, writer: BatchWriter, answers: Answers
) -> None:
    """Until the query ends: show its progress, refresh what is due, stop it where the lease is lost or time is over."""
    committer = ProgressCommitter(settings)
    shown = None
    end = time.monotonic() + how.max_minutes * 60 if how.max_minutes else float("inf")
    with answers.refreshing(writer.lock) as refresh_what_is_due:
        while True:
            over = _is_over(query)
            progress = query.lastProgress
            if progress is not None and progress["batchId"] != shown:
                shown = progress["batchId"]
                committer.commit(offsets_of(progress["sources"][0]["endOffset"], settings.source_topic))
            if over:
                return
            lease.check()
            if how.trigger != AVAILABLE_NOW:
                refresh_what_is_due()
            if time.monotonic() > end:
                logger.info("stopping after %s minutes, as asked", how.max_minutes)
                return


def _is_over(query: StreamingQuery) -> bool:
    """Wait for a moment; whether the query has ended, well or not."""
    from pyspark.errors import StreamingQueryException

    try:
        return bool(query.awaitTermination(_LOOK))
    except StreamingQueryException:
        return True


def _raise_failure(query: StreamingQuery) -> None:
    failure = query.exception()
    if failure is None:
        return
    text = str(failure)
    raise ClicktrailError(_in_a_sentence(text)) from failure


def _in_a_sentence(text: str) -> str:
    """What failed, from Spark's message, with the cure where it is known."""
    if "OffsetOutOfRange" in text or "failOnDataLoss" in text or "Some data may have been lost" in text:
        return f"the topic no longer has offsets that the checkpoint still needs (retention?): {text[:600]}"
    own = re.search(r"(?:ClicktrailError|LeaseLostError|LeaseHeldError): ([^\n]+)", text)
    if own:
        return own.group(1)
    cause = _CAUSE.search(text)
    said = cause.group(1) if cause else text[:1000]
    if "com.datastax.oss.driver" in text or "cassandra." in said:
        return _cassandra_failed(said)
    if "org.apache.kafka" in said:
        return f"Kafka failed or went away: {said}. {REDONE}"
    return text[:2000]


def _cassandra_failed(error: object) -> str:
    return f"Cassandra failed or went away: {error}. {REDONE}"
