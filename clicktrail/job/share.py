"""A share of a micro-batch: all records of some visitors, and some of the dead letters.

This is where the promise is kept: of each identity one event, the latest by the broker's clock; what the store knows
already is compared with it. What is written first lets a crash be made good: which visitors may be stored up to when,
what is to be derived anew, and page calls; then the events. Kafka comes after them, because it is the only sink where
a repeat shows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from clicktrail.errors import ClicktrailError
from clicktrail.job import cells, dead_letters, page_calls, worker
from clicktrail.job.derive import pending
from clicktrail.job.derive.cql import Cql, Write, chunks, insert
from clicktrail.job.event_store import EventStore, Key, Stored, VisitorDay
from clicktrail.job.kafka_sink import COLUMNS, KafkaSink
from clicktrail.job.marks import shard
from clicktrail.job.page_calls import PageMinute, Views
from clicktrail.job.records import SCHEMA, InArrow
from clicktrail.job.report import Report, Tally
from clicktrail.job.times import MILLISECONDS_A_DAY, TOLERANCE, as_date
from clicktrail.settings import Settings

OUT = pa.schema(
    [
        pa.field("user_id", pa.string()),
        pa.field("event_time", pa.int64()),
        pa.field("held", pa.binary()),  # the row of an event that is still to be stored
        pa.field("report", pa.binary()),  # in one row a share, which has nothing else
    ]
)
"""What comes out of a share: events that have to wait, and its report."""

_LOG_APPEND_TIME = 1
_VISITORS = "visitors_by_day"
_NEWEST = f"SELECT user_id, to_unix_timestamp(newest) FROM {_VISITORS} WHERE day = ? AND shard = ? AND user_id IN ?"
_VISITORS_A_READ = 100


def taker(settings: Settings, write_time: int) -> InArrow:
    """The function that Spark runs over each partition of decoded records.

    Args:
        settings: where Cassandra is.
        write_time: of derived rows (microseconds); no other batch has the same.
    """

    def take(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        context = TaskContext.get()
        assert context is not None
        records = pa.Table.from_batches(batches, SCHEMA)
        if records.num_rows:
            kafka = worker.kafka_sink(settings)
            number = context.taskAttemptId() % page_calls.DRIVER
            share = Share(worker.cql(settings), worker.event_store(settings), kafka, write_time, number)
            yield from share.take(records)

    return take


class _Copy(NamedTuple):
    """A record of an event. Of those with the same time and id the last is the one to keep."""

    time: int
    event_id: str
    write_time: int
    partition: int
    offset: int
    row: int

    @property
    def key(self) -> Key:
        return self.time, self.event_id


@dataclass
class Share:
    """One share, on its way into Cassandra."""

    cql: Cql
    events: EventStore
    kafka: KafkaSink
    write_time: int
    number: int
    """Tells it from other shares of its batch, and from another attempt at itself (``page_calls.part``)."""

    report: Report = field(default_factory=Report)
    again: Counter[int] = field(default_factory=Counter)
    """Repeats by source partition."""
    calls: dict[PageMinute, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Page calls to enter (``page_calls.call``)."""
    stored_calls: dict[PageMinute, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Page calls of records that are stored themselves: a crash may have come before a call was entered or counted."""
    lost: dict[tuple[str, int, str], list[_Copy]] = field(default_factory=lambda: defaultdict(list))
    """Copies that are not kept, by visitor, time and id."""

    def take(self, records: pa.Table) -> Iterator[pa.RecordBatch]:
        """Write decoded records (``records.SCHEMA``); gives back events that have to wait, and the report."""
        _refuse_foreign_times(records)
        columns = _Columns(records)
        copies = _by_visitor_day(records)
        kept = {day: self._latest(day.user_id, same) for day, same in copies.items()}
        newest = self._newest(kept)
        stored = self.events.read(_suspects(kept, newest))
        held: dict[int, bytes] = {}
        rows = [
            (day, row)
            for day, same in kept.items()
            for row in self._rows(day, same, stored.get(day, {}), columns, held)
        ]
        for page, some in page_calls.missing(self.cql, self.stored_calls).items():
            self.calls[page] += some
        self.report.uncertain |= self.stored_calls.keys()
        self.cql.write(self._first(records, kept, newest, columns))
        self.events.write(rows)
        self.kafka.send(_handed_on(records, kept))
        self.report.held = len(held)
        self.report.tallies = _tallies(records, self.again)
        if held:
            yield _waiting(records, held)
        yield pa.RecordBatch.from_pylist([{"report": self.report.packed()}], OUT)

    def _latest(self, user_id: str, copies: list[_Copy]) -> list[_Copy]:
        """The copies to keep, one of each event, in order; the others are put into ``lost``."""
        copies.sort()
        kept = copies[:1]
        for copy in copies[1:]:
            if copy.key == kept[-1].key:
                self.again[kept[-1].partition] += 1
                self.lost[user_id, copy.time, copy.event_id].append(kept[-1])
                kept[-1] = copy
            else:
                kept.append(copy)
        return kept

    def _newest(self, kept: dict[VisitorDay, list[_Copy]]) -> dict[VisitorDay, int]:
        """Up to which moment the visitors' days may be stored, where they may be at all."""
        by_partition: dict[tuple[int, int], list[str]] = defaultdict(list)
        for user_id, day in kept:
            by_partition[day, shard(user_id)].append(user_id)
        asked = [(*place, some) for place, users in by_partition.items() for some in chunks(users, _VISITORS_A_READ)]
        found = self.cql.read(_NEWEST, [(as_date(day), number, some) for day, number, some in asked])
        return {
            VisitorDay(user_id, day): moment
            for (day, *_), rows in zip(asked, found, strict=True)
            for user_id, moment in rows
        }

    def _rows(
        self, day: VisitorDay, kept: list[_Copy], stored: dict[Key, Stored], columns: _Columns, held: dict[int, bytes]
    ) -> Iterator[bytes]:
        """The rows to write of a visitor's day. Its page calls are noted; rows that have to wait are put into ``held``.

        What the store knows by a later write time stays as it is.
        """
        visitor = page_calls.visitor_digits(day.user_id)
        seen: dict[PageMinute, list[int]] = {}
        for copy in kept:
            known = stored.get(copy.key) if stored else None
            losers = self.lost.get((day.user_id, copy.time, copy.event_id), []) if self.lost else []
            if known is not None:
                self._meet(known, copy)
                if known.write_time > copy.write_time:
                    continue
            waits = self._take_away(day.user_id, copy, losers, known, columns)
            page, is_bot, row = columns.page(copy), columns.is_bot[copy.row], columns.cells[copy.row]
            if page is not None:
                call = page_calls.call(visitor, day.user_id, copy.time, copy.event_id, copy.write_time, is_bot=is_bot)
                is_stored = known is not None and any(known.write_time == one.write_time for one in (copy, *losers))
                # Also where it is counted: a call older than its event could be taken for gone with another copy.
                (self.stored_calls if is_stored else self.calls)[page].append(call)
                if not is_stored and not _counted(known, page, is_bot):
                    seen.setdefault(page, []).append(is_bot)
            if known is not None and known.would_keep(row):
                row = cells.erasing(cells.split(row))
            if waits:
                held[copy.row] = row
            else:
                yield row
        self._see(seen)

    def _meet(self, known: Stored, copy: _Copy) -> None:
        """An event that the store knows: a repeat, but for the very same record; its page may not have been counted."""
        if known.write_time != copy.write_time:
            self.again[copy.partition] += 1
        if known.page:
            self.report.uncertain.add(page_calls.minute_of(*known.page, copy.time))

    def _take_away(
        self, user_id: str, copy: _Copy, losers: list[_Copy], known: Stored | None, columns: _Columns
    ) -> bool:
        """Calls of pages that only earlier contents of an event name are gone; returns whether there are any.

        Those of copies that are not kept may have been entered by a batch that crashed before a checkpoint was lost,
        but where the store had outlived them.
        """
        lost = [(columns.page(loser), loser.write_time) for loser in losers]
        if known is not None:
            lost = [each for each in lost if each[1] > known.write_time]
            was = page_calls.minute_of(*known.page, copy.time) if known.page else None
            lost.append((was, known.write_time))
        gone = [(there, moment) for there, moment in lost if there is not None and there != columns.page(copy)]
        for there, moment in gone:
            call = page_calls.gone(user_id, copy.time, copy.event_id, moment)
            self.report.gone.setdefault(there, []).append(call)
        return bool(gone)

    def _see(self, seen: dict[PageMinute, list[int]]) -> None:
        """Count one visitor's calls of a day: by page and minute, whether each is a crawler's."""
        views = self.report.views
        for page, bots in seen.items():
            own = Views(len(bots), sum(bots), 1)
            known = views.get(page)
            views[page] = known + own if known else own

    def _first(
        self,
        records: pa.Table,
        kept: dict[VisitorDay, list[_Copy]],
        newest: dict[VisitorDay, int],
        columns: _Columns,
    ) -> Iterator[Write]:
        """What is written before the events."""
        yield from dead_letters.writes(_rejected(records))
        yield from page_calls.writes(self.calls, self.write_time, self.number)
        touched = ((*day, any([columns.claims[copy.row] for copy in same])) for day, same in kept.items())
        yield from pending.visitor_notes(touched, self.write_time, self.number)
        raised = insert(_VISITORS, ("day", "shard", "user_id", "newest"))
        for day, same in kept.items():
            last = same[-1].time
            if newest.get(day, -1) < last:
                place = as_date(day.day), shard(day.user_id)
                # The moment is the write time, so that it never falls.
                yield Write((_VISITORS, *place), raised, (*place, day.user_id, last, last * 1_000))


class _Columns:
    """The columns of decoded records that are looked at row by row."""

    def __init__(self, records: pa.Table) -> None:
        self.user_ids: list[str] = records["user_id"].to_pylist()
        self.claims: list[bool] = records["claims"].to_pylist()
        self.is_bot: list[bool] = records["is_bot"].to_pylist()
        self.cells: list[bytes] = records["cells"].to_pylist()
        self._sites: list[str] = records["site"].to_pylist()
        self._paths: list[str | None] = records["page_path"].to_pylist()

    def page(self, copy: _Copy) -> PageMinute | None:
        """The page's minute, where it is the view of one."""
        path = self._paths[copy.row]
        return None if path is None else page_calls.minute_of(self._sites[copy.row], path, copy.time)


def _by_visitor_day(records: pa.Table) -> dict[VisitorDay, list[_Copy]]:
    found: dict[VisitorDay, list[_Copy]] = defaultdict(list)
    names = ("user_id", "event_time", "event_id", "write_time", "source_partition", "source_offset")
    columns = [records[name].to_pylist() for name in names]
    for user_id, time, *rest in zip(*columns, range(records.num_rows), strict=True):
        if user_id is not None:
            found[VisitorDay(user_id, time // MILLISECONDS_A_DAY)].append(_Copy(time, *rest))
    return found


def _suspects(kept: dict[VisitorDay, list[_Copy]], newest: dict[VisitorDay, int]) -> dict[VisitorDay, list[Key]]:
    """The events that may be stored already."""
    suspects = {day: [copy.key for copy in kept[day] if copy.time <= moment] for day, moment in newest.items()}
    return {day: keys for day, keys in suspects.items() if keys}


def _handed_on(records: pa.Table, kept: dict[VisitorDay, list[_Copy]]) -> pa.Table:
    """What is for Kafka: dead letters, and of each event the copy to keep."""
    wanted = pc.is_valid(records["reason"]).to_pylist()
    for same in kept.values():
        for copy in same:
            wanted[copy.row] = True
    return records.select(COLUMNS).filter(pa.array(wanted))


def _waiting(records: pa.Table, held: dict[int, bytes]) -> pa.RecordBatch:
    """The rows of events that have to wait, by their place among the records."""
    whose = records.select(["user_id", "event_time"]).take(pa.array(held, pa.int64()))
    waiting = whose.append_column("held", pa.array(held.values(), pa.binary()))
    return waiting.append_column("report", pa.nulls(len(held), pa.binary())).combine_chunks().to_batches()[0]


def _counted(known: Stored | None, page: PageMinute, is_bot: bool) -> bool:
    """Whether the store's content of this event is the same call of the same page."""
    return known is not None and page[:2] == known.page and is_bot == known.is_bot


def _rejected(records: pa.Table) -> Iterator[dict[str, Any]]:
    rows: list[dict[str, Any]] = records.filter(pc.is_valid(records["reason"])).to_pylist()
    return iter(rows)


def _tallies(records: pa.Table, again: Counter[int]) -> list[Tally]:
    late = pc.greater(pc.subtract(records["received_at"], records["event_time"]), TOLERANCE)
    figures = records.select(["source_partition", "reason", "source_offset"]).append_column(
        "late", pc.cast(pc.fill_null(late, False), pa.int64())
    )
    wanted = [([], "count_all"), ("source_offset", "min"), ("source_offset", "max"), ("late", "sum")]
    grouped = figures.group_by(["source_partition", "reason"]).aggregate(wanted)
    order = ["source_partition", "reason", "count_all", "source_offset_min", "source_offset_max", "late_sum"]
    tallies = [Tally(*row) for row in zip(*(grouped[name].to_pylist() for name in order), strict=True)]
    return [each if each.reason else each._replace(repeats=again[each.source_partition]) for each in tallies]


def _refuse_foreign_times(records: pa.Table) -> None:
    """Which of two contents is the later is for the broker's clock to say: no other may stand in its place."""
    foreign = records.filter(pc.not_equal(records["timestamp_type"], _LOG_APPEND_TIME))
    if foreign.num_rows:
        topic = foreign["source_topic"][0].as_py()
        raise ClicktrailError(
            f"topic {topic} has records with the producer's time. Set the broker's with "
            f"kafka-configs --alter --entity-type topics --entity-name {topic} "
            "--add-config message.timestamp.type=LogAppendTime, and start from records that came in after that"
        )
