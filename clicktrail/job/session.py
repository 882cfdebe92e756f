"""The Spark session of the job, and what Spark has to know of Kafka and Cassandra."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clicktrail.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def spark_conf(settings: Settings) -> dict[str, str]:
    """Spark's configuration for ``settings``; what stays the same for each job, without master, memory and jars."""
    conf = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.extensions": "com.datastax.spark.connector.CassandraSparkExtensions",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.requireAllClusterKeysForCoPartition": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "1000",
        "spark.sql.inMemoryColumnarStorage.compressed": "false",
        "spark.sql.streaming.metricsEnabled": "false",
        "spark.sql.streaming.numRecentProgressUpdates": "10",
        "spark.cassandra.connection.host": ",".join(settings.cassandra_contact_points),
        "spark.cassandra.connection.port": str(settings.cassandra_port),
        "spark.cassandra.output.consistency.level": settings.cassandra_consistency,
        "spark.cassandra.input.consistency.level": settings.cassandra_consistency,
        "spark.cassandra.output.concurrent.writes": "32",
        "spark.cassandra.output.batch.size.bytes": "8192",
        "spark.cassandra.output.batch.grouping.key": "partition",
        "spark.cassandra.output.metrics": "false",
        "spark.cassandra.input.metrics": "false",
    }
    if settings.cassandra_datacenter:
        conf["spark.cassandra.connection.localDC"] = settings.cassandra_datacenter
    if settings.cassandra_username:
        conf["spark.cassandra.auth.username"] = settings.cassandra_username
        conf["spark.cassandra.auth.password"] = settings.cassandra_password
    return conf


def kafka_options(settings: Settings) -> dict[str, str]:
    """How Spark's Kafka source and sink connect."""
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


def create(settings: Settings) -> SparkSession:
    """The session. Master, memory and jars come from ``spark-submit``; what is given there wins."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("clickstream_job")
    for name, value in spark_conf(settings).items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    partitions = str(max(2, spark.sparkContext.defaultParallelism))
    spark.conf.set("spark.sql.shuffle.partitions", partitions)
    return spark
