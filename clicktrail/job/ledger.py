"""The ledger: what the job has done, a row each micro-batch and source partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from cassandra.cluster import Session

from clicktrail.job.report import Tally

QUERY = "clickstream"
"""Name of the job's one streaming query, in the ledger and in Spark's UI."""

_INSERT = (
    "INSERT INTO batch_ledger (query, day, partition, epoch, first_offset, last_offset, batch_id, events_read, good, "
    "rejected, repeats, late, seconds, finished_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SELECT = "SELECT * FROM batch_ledger WHERE query = ? AND day = ? AND partition = ?"


@dataclass(frozen=True)
class Entry:
    """What one micro-batch did with one source partition; offsets are inclusive."""

    partition: int
    first_offset: int
    last_offset: int
    good: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    repeats: int = 0
    late: int = 0
    batch_id: int = 0
    epoch: int = 0
    seconds: float = 0.0
    finished_at: datetime | None = None

    @property
    def events_read(self) -> int:
        """Records read: the good and the rejected ones."""
        return self.good + sum(self.rejected.values())


def entries(tallies: Iterable[Tally]) -> list[Entry]:
    """Ledger entries of a batch from what its shares counted."""
    by_partition: dict[int, list[Tally]] = {}
    for row in tallies:
        by_partition.setdefault(row.source_partition, []).append(row)
    return [_entry(partition, rows) for partition, rows in sorted(by_partition.items())]


def _entry(partition: int, rows: list[Tally]) -> Entry:
    rejected: Counter[str] = Counter()
    for row in rows:
        if row.reason is not None:
            rejected[row.reason] += row.records
    return Entry(
        partition=partition,
        first_offset=min(row.first_offset for row in rows),
        last_offset=max(row.last_offset for row in rows),
        good=sum(row.records for row in rows if row.reason is None),
        rejected=dict(rejected),
        repeats=sum(row.repeats for row in rows),
        late=sum(row.late for row in rows),
    )


def write(session: Session, done: Iterable[Entry], batch_id: int, epoch: int, seconds: float, now: datetime) -> None:
    """Write the entries of a finished batch."""
    insert = session.prepare(_INSERT)
    for entry in done:
        session.execute(
            insert,
            (
                QUERY,
                now.astimezone(UTC).date(),
                entry.partition,
                epoch,
                entry.first_offset,
                entry.last_offset,
                batch_id,
                entry.events_read,
                entry.good,
                dict(entry.rejected),
                entry.repeats,
                entry.late,
                seconds,
                now,
            ),
        )


def read(session: Session, partitions: Iterable[int], first: date, last: date) -> list[Entry]:
    """The entries written on the days from ``first`` to ``last`` for the source partitions given."""
    select = session.prepare(_SELECT)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [
        Entry(
            partition=row.partition,
            first_offset=row.first_offset,
            last_offset=row.last_offset,
            good=row.good,
            rejected=dict(row.rejected or {}),
            repeats=row.repeats,
            late=row.late,
            batch_id=row.batch_id,
            epoch=row.epoch,
            seconds=row.seconds,
            finished_at=row.finished_at,
        )
        for partition in partitions
        for day in days
        for row in session.execute(select, (QUERY, day, partition))
    ]


def missing(done: Iterable[Entry], partition: int, first: int, end: int) -> list[tuple[int, int]]:
    """The ranges of ``[first, end)`` in ``partition`` that no entry covers, each as (from, to), ``to`` exclusive."""
    gaps: list[tuple[int, int]] = []
    reached = first
    for entry in sorted((e for e in done if e.partition == partition), key=lambda e: e.first_offset):
        if entry.first_offset >= end:
            break
        if entry.first_offset > reached:
            gaps.append((reached, entry.first_offset))
        reached = max(reached, entry.last_offset + 1)
    if reached < end:
        gaps.append((reached, end))
    return gaps
