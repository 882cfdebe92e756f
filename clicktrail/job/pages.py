"""``page_metrics``, kept exact: new minutes are counted from the batch, all others from ``page_calls``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clicktrail.job import marks, page_calls
from clicktrail.job.derive.cql import Cql, Write, insert
from clicktrail.job.page_calls import PageMinute, Views
from clicktrail.job.page_counts import Counts
from clicktrail.job.report import Report
from clicktrail.job.times import as_date

_TABLE = "page_metrics"
_METRICS = insert(_TABLE, ("site", "page_path", "day", "minute", *Views._fields))
_NONE = f"DELETE FROM {_TABLE} USING TIMESTAMP ? WHERE site = ? AND page_path = ? AND day = ? AND minute = ?"


def update(cql: Cql, counts: Counts, report: Report, write_time: int) -> None:
    """Bring a batch's page calls, which are in ``page_calls`` by now, into ``page_metrics``.

    Args:
        cql: the keyspace.
        counts: of the batches before.
        report: what the batch brought, and what it takes away.
        write_time: of the rows, microseconds; later than that of any before.
    """
    cql.write(page_calls.writes(page_calls.still_there(cql, report.gone), write_time, page_calls.DRIVER))
    doubtful = report.gone.keys() | report.uncertain
    known = sorted(marks.pass_over(cql, report.pages) | doubtful)
    read = counts.read(known, write_time, doubtful)
    counted = {**report.views, **dict.fromkeys(known, Views(0, 0, 0)), **read}
    cql.write(_writes(counted, write_time))


def _writes(counted: Mapping[PageMinute, Views], write_time: int) -> Iterator[Write]:
    for page, views in counted.items():
        place = (page.site, page.page_path, as_date(page.day))
        if views.views:
            yield Write((_TABLE, *place), _METRICS, (*place, page.minute, *views, write_time))
        else:
            yield Write((_TABLE, *place), _NONE, (write_time, *place, page.minute))
