"""The versions that have to agree, once: a move to other ones is a change of this file and the locks."""

from __future__ import annotations

PYTHON = "3.11"
JAVA = 17
SPARK = "3.5.7"
SPARK_SCALA = "2.12"
BARE_LOCAL_FS = "0.1.0"  # for the Hadoop that is in Spark
KAFKA = "3.9.1"
KAFKA_SCALA = "2.13"
ZOOKEEPER = "3.8.4"
CASSANDRA = "5.0.9"
AIRFLOW = "3.3.2"
