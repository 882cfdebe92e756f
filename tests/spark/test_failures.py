"""What the job says where a worker fails in a batch of a stream, from Spark's own words."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession

from clicktrail.errors import ClicktrailError
from clicktrail.job import runner
from clicktrail.job.records import SCHEMA, ddl
from tests.raw import Raw
from tests.samples import value
from tests.spark.kafka_rows import decoded


def test_producers_clock_is_said_in_a_sentence(spark: SparkSession, tmp_path: Path) -> None:
    def refuse(batches):  # type: ignore[no-untyped-def]
        import pyarrow as pa

        from clicktrail.job.share import _refuse_foreign_times

        _refuse_foreign_times(pa.Table.from_batches(batches, SCHEMA))
        yield from ()

    def write(_: DataFrame, __: int) -> None:
        records = decoded(spark, Raw(value(), 1), Raw(value(), 2, timestamp_type=0)).coalesce(1)
        records.mapInArrow(refuse, ddl(SCHEMA)).collect()

    source = spark.readStream.format("rate-micro-batch").options(rowsPerBatch="1").load()
    query = source.writeStream.foreachBatch(write).option("checkpointLocation", str(tmp_path)).start()
    try:
        with pytest.raises(StreamingQueryException):
            query.awaitTermination(300)
        with pytest.raises(ClicktrailError) as failure:
            runner._raise_failure(query)
    finally:
        query.stop()
    said = str(failure.value)
    assert said.startswith("topic clicks has records with the producer's time. Set the broker's with kafka-configs ")
    assert said.endswith("and start from records that came in after that")
