"""The Spark session of the job, and what Spark has to know of Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clicktrail.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def spark_conf() -> dict[str, str]:
    """Spark's configuration; what stays the same for each job, without master, memory and jars."""
    return {
        "spark.sql.session.timeZone": "UTC",
        "spark.scheduler.mode": "FAIR",
        "spark.python.daemon.module": "clicktrail.job.daemon",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "1000",
        "spark.sql.streaming.metricsEnabled": "false",
        "spark.sql.streaming.numRecentProgressUpdates": "10",
    }


def kafka_options(settings: Settings) -> dict[str, str]:
    """How Spark's Kafka source connects."""
    options = {
        "kafka.bootstrap.servers": settings.bootstrap_servers,
        "kafka.security.protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_sasl_mechanism:
        module = "plain.PlainLoginModule" if settings.kafka_sasl_mechanism == "PLAIN" else "scram.ScramLoginModule"
        options["kafka.sasl.mechanism"] = settings.kafka_sasl_mechanism
        options["kafka.sasl.jaas.config"] = (
            f"org.apache.kafka.common.security.{module} required "
            f'username="{settings.kafka_username}" password="{settings.kafka_password}";'
        )
    return options


def create() -> SparkSession:
    """The session. Master, memory and jars come from ``spark-submit``; what is given there wins."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("clickstream_job")
    for name, value in spark_conf().items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    partitions = str(max(2, spark.sparkContext.defaultParallelism))
    spark.conf.set("spark.sql.shuffle.partitions", partitions)
    return spark
