from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from clicktrail.job import transforms
from clicktrail.job.records import ddl
from clicktrail.job.report import Report, Tally
from clicktrail.job.share import OUT, Share
from tests import raw
from tests.raw import NOW, Raw, call
from tests.spark.kafka_rows import decoded, plain
from tests.tables import Events, Tables, Topics


def out(spark: SparkSession, *batches: tuple[Raw, ...]) -> DataFrame:
    """What comes out of a share for the last of some batches."""
    tables, came = Tables(), []
    for number, records in enumerate(batches):
        one = Share(tables, Events(tables), Topics(), number, 0)  # type: ignore[arg-type]
        came = [row for batch in one.take(raw.decoded(*records)) for row in batch.to_pylist()]
    return spark.createDataFrame([tuple(row[name] for name in OUT.names) for row in came], ddl(OUT))


def test_all_of_a_visitor_is_in_one_share_and_dead_letters_are_spread(spark: SparkSession) -> None:
    records = [
        Raw(call("/", messageId=f"m-{visitor}-{n}", userId=f"u-{visitor}", timestamp=NOW - n * 86_400_000), n, n % 3)
        for visitor in range(40)
        for n in range(3)
    ] + [Raw(b"x", 1_000 + n, n % 3) for n in range(200)]
    shares = transforms.shared_out(decoded(spark, *records), 4)
    parts = shares.rdd.mapPartitions(lambda rows: [[(row.user_id, row.source_offset) for row in rows]]).collect()
    assert len(parts) == 4
    assert sum(map(len, parts)) == len(records)
    where = {(visitor, number) for number, part in enumerate(parts) for visitor, _ in part if visitor is not None}
    assert len(where) == 40
    visitors = Counter(number for _, number in where)
    letters = Counter(number for number, part in enumerate(parts) for visitor, _ in part if visitor is None)
    assert set(visitors) == set(letters) == {0, 1, 2, 3}
    assert min(letters.values()) > 20


def test_decoded_records_reach_the_share_and_its_report_comes_back(spark: SparkSession) -> None:
    """As the job does it: Arrow into the share, Arrow out of it."""
    records = [Raw(call("/a", messageId=str(n), userId=f"u-{n % 7}"), n) for n in range(50)] + [Raw(b"x", 50)]

    def take(batches: Any) -> Any:
        from clicktrail.job.records import SCHEMA

        table, tables = pa.Table.from_batches(batches, SCHEMA), Tables()
        if table.num_rows:
            yield from Share(tables, Events(tables), Topics(), 1, 0).take(table)  # type: ignore[arg-type]

    shares = transforms.shared_out(decoded(spark, *records), 3).mapInArrow(take, ddl(OUT)).persist()
    report = Report.together(bytes(row.report) for row in transforms.reports(shares).collect())
    ((page, views),) = report.views.items()
    assert (page.page_path, views) == ("/a", (50, 0, 7))
    assert sum(tally.records for tally in report.tallies if tally.reason is None) == 50
    assert [tally for tally in report.tallies if tally.reason] == [Tally(0, "not_json", 1, 50, 50)]


def test_events_that_wait_are_told_from_the_others(spark: SparkSession) -> None:
    stored = (Raw(call("/a", messageId="moves"), 1), Raw(call("/a", messageId="stays"), 2))
    rows = out(
        spark,
        stored,
        (
            Raw(call("/b", messageId="moves"), 3, 0, NOW + 1),
            Raw(call("/a", messageId="stays"), 4, 0, NOW + 1),
            Raw(b"x", 5),
        ),
    )
    (held,) = map(plain, transforms.held(rows).collect())
    (moved,) = raw.decoded(Raw(call("/b", messageId="moves"), 3, 0, NOW + 1)).to_pylist()
    assert (held["user_id"], held["event_time"], held["held"]) == ("u-1", moved["event_time"], moved["cells"])
    (report,) = transforms.reports(rows).collect()
    assert Report.together([bytes(report.report)]).held == 1
