"""One local Spark session for the layer: no Kafka, no Cassandra."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from clicktrail.java import SPARK_OPTIONS, java_env


@pytest.fixture(scope="package")
def spark() -> Iterator[SparkSession]:
    """The session; its JVM ends with the layer."""
    with pytest.MonkeyPatch.context() as patch:
        for name, content in {**java_env(), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}.items():
            patch.setenv(name, content)
        for name in ("SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS"):
            if name in os.environ:
                patch.delenv(name)
        session = (
            SparkSession.builder.appName("tests")
            .master("local[2]")
            .config("spark.driver.memory", "1g")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.extraJavaOptions", " ".join(SPARK_OPTIONS))
            .config("spark.ui.enabled", "false")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.adaptive.enabled", "false")
            .getOrCreate()
        )
        session.sparkContext.setLogLevel("ERROR")
        gateway = session.sparkContext._gateway
        yield session
        session.stop()
        _end_jvm(gateway)


def _end_jvm(gateway: object) -> None:
    """PySpark keeps its JVM for the next session; nobody needs one after this layer."""
    from pyspark import SparkContext

    gateway.shutdown()  # type: ignore[attr-defined]
    process = gateway.proc  # type: ignore[attr-defined]
    process.stdin.close()
    process.wait(60)
    SparkContext._gateway = None
    SparkContext._jvm = None
