"""As tutorials do it: Structured Streaming, a row-at-a-time Python UDF, ``foreachBatch``, the connector's defaults.

The rules are clicktrail's ``decode``, so that the rows agree; what differs is how Spark is used. The batch is
persisted, as Spark's guide to ``foreachBatch`` says. Nulls are written, as the connector does by default.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyspark.sql.functions as F
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from benchmarks.work import CONSISTENCY, Work
from clicktrail.events import FIELD_NAMES, FIELDS, spark_schema
from clicktrail.job.decode import decode

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = tuple(field.name for field in FIELDS if field.kind == "timestamp")


def parse(value: Any, key: Any, received_at: datetime, topic: str, partition: int, offset: int) -> dict[str, Any]:
    """The UDF: one record in, a struct out."""
    moment = (received_at.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
    decoded = decode(
        None if value is None else bytes(value), None if key is None else bytes(key), moment, topic, partition, offset
    )
    event: dict[str, Any] | None = None
    if decoded.fields is not None:
        event = {name: decoded.fields.get(name) for name in FIELD_NAMES}
        event["day"] = date(1970, 1, 1) + timedelta(days=event["day"])
        for name in _TIMES:
            if event[name] is not None:
                event[name] = _EPOCH + timedelta(milliseconds=event[name])
    return {"event": event, "json": decoded.json, "reason": decoded.reason, "detail": decoded.detail}


def main() -> int:
    """Run the stream."""
    work = Work.from_env()
    spark = SparkSession.builder.appName("tutorial").getOrCreate()
    result = T.StructType(
        [
            T.StructField("event", spark_schema()),
            T.StructField("json", T.BinaryType()),
            T.StructField("reason", T.StringType()),
            T.StructField("detail", T.StringType()),
        ]
    )
    parse_udf = F.udf(parse, result)
    records = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", work.bootstrap)
        .option("subscribe", work.source_topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", "50000")
        .load()
    )
    parsed = records.withColumn("parsed", parse_udf("value", "key", "timestamp", "topic", "partition", "offset"))

    def write(batch: DataFrame, batch_id: int) -> None:
        batch.persist()
        good = batch.where(F.col("parsed.reason").isNull())
        bad = batch.where(F.col("parsed.reason").isNotNull())
        moment = (F.unix_millis("timestamp") * 1000 + F.col("offset") % 1000).alias("write_time")
        (
            good.select("parsed.event.*", moment)
            .write.format("org.apache.spark.sql.cassandra")
            .options(table="events_by_user_day", keyspace=work.keyspace, writetime="write_time")
            .mode("append")
            .save()
        )
        for rows, value, topic in (
            (good, F.col("parsed.json"), work.transformed_topic),
            (bad, F.col("value"), work.dead_letter_topic),
        ):
            (
                rows.select("key", value.alias("value"))
                .write.format("kafka")
                .option("kafka.bootstrap.servers", work.bootstrap)
                .option("kafka.acks", "all")
                .option("kafka.compression.type", "lz4")
                .option("kafka.max.request.size", str(2 * work.max_record_bytes + 65_536))
                .option("topic", topic)
                .save()
            )
        batch.unpersist()

    writer = parsed.writeStream.foreachBatch(write).option("checkpointLocation", f"{work.scratch}/checkpoint")
    trigger = writer.trigger(processingTime="1 second") if work.follow else writer.trigger(availableNow=True)
    trigger.start().awaitTermination()
    spark.stop()
    return 0


def conf(work: Work) -> dict[str, str]:
    """What has to be said for the stack to be found; all else is default."""
    return {
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.driver.memory": "2g",
        "spark.cassandra.connection.host": work.contact_point,
        "spark.cassandra.connection.port": str(work.cassandra_port),
        "spark.cassandra.output.consistency.level": CONSISTENCY,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }


if __name__ == "__main__":
    sys.exit(main())
