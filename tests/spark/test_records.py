from __future__ import annotations

from pyspark.sql import SparkSession

from tests import raw
from tests.raw import NOW, Raw
from tests.samples import BAD, TEXTS, value, weird
from tests.spark.kafka_rows import decoded, plain


def test_records_come_through_spark_as_they_are_decoded(spark: SparkSession) -> None:
    """All samples in one go, times and bytes included."""
    values = [bad.value for bad in BAD] + [weird(name) for name in TEXTS] + [value(messageId="last")]
    records = [Raw(content, offset, offset % 3, NOW + offset) for offset, content in enumerate(values)]
    records.append(Raw(value(messageId="no key"), len(values), key=None, timestamp_type=0))
    expected = raw.decoded(*records).to_pylist()
    rows = sorted(map(plain, decoded(spark, *records).collect()), key=lambda row: row["source_offset"])
    assert rows == expected
    assert len(rows) == len(records)


def test_no_record_no_row(spark: SparkSession) -> None:
    assert decoded(spark).count() == 0
