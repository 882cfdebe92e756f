"""All contenders, each as its friend would start it. That they do the same work is shown by ``benchmarks.check``."""

from __future__ import annotations

import subprocess
import sys
import venv
from datetime import UTC

from benchmarks import jars
from benchmarks.peers import java_client
from benchmarks.work import CONSISTENCY, Contender, Work, plain_env, scratch
from clicktrail import spark_submit, store
from clicktrail.errors import ClicktrailError
from clicktrail.java import java_env
from clicktrail.settings import PROJECT, Settings

HERE = PROJECT / "benchmarks"
QUIX = java_client.BUILD / "quix"


def settings_of(work: Work) -> Settings:
    """The project's own settings for a run."""
    return Settings(
        home=scratch(work),
        kafka_bootstrap_servers=work.bootstrap,
        cassandra_hosts=work.contact_point,
        cassandra_port=work.cassandra_port,
        cassandra_keyspace=work.keyspace,
        cassandra_consistency=CONSISTENCY,
        source_topic=work.source_topic,
        transformed_topic=work.transformed_topic,
        dead_letter_topic=work.dead_letter_topic,
        consumer_group=work.group,
        topic_partitions=work.partitions,
        max_record_bytes=work.max_record_bytes,
        checkpoint_dir=str(scratch(work) / "checkpoint"),
        spark_master=f"local[{work.workers}]",
        max_offsets_per_batch=250_000,
    )


def _clicktrail_command(work: Work) -> list[str]:
    return spark_submit.command(settings_of(work), ["--trigger", "100ms" if work.follow else "available-now"])


def _clicktrail_acknowledged(work: Work) -> float:
    """By its ledger; what follows until its exit are the derived tables, which no other contender has."""
    with store.connect(settings_of(work)) as session:
        return (
            max(row.finished_at for row in session.execute("SELECT finished_at FROM batch_ledger"))
            .replace(tzinfo=UTC)
            .timestamp()
        )


def _clicktrail_env(work: Work) -> dict[str, str]:
    return spark_submit.environment(settings_of(work), plain_env())


def _python_env(work: Work) -> dict[str, str]:
    return plain_env() | work.to_env() | {"PYTHONPATH": str(PROJECT)}


def _java_command(work: Work) -> list[str]:
    return java_client.command("peer.Main", options=java_client.jvm())


def _java_env(work: Work) -> dict[str, str]:
    return plain_env() | work.to_env()


def _tutorial_command(work: Work) -> list[str]:
    from benchmarks.peers import tutorial

    conf = [part for each in tutorial.conf(work).items() for part in ("--conf", "=".join(each))]
    connector = [str(jar.path) for jar in jars.locked()["connector"]]
    return [
        str(spark_submit.spark_home() / "bin" / "spark-submit"),
        *("--master", f"local[{work.workers}]"),
        *("--jars", ",".join([spark_submit.spark_jars(), *connector])),
        *conf,
        str(HERE / "peers" / "tutorial.py"),
    ]


def _tutorial_env(work: Work) -> dict[str, str]:
    given = _python_env(work)
    return {
        **given,
        **java_env(given),
        "SPARK_HOME": str(spark_submit.spark_home()),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }


def prepare_tutorial() -> None:
    """The Spark Cassandra Connector, which the job itself does without."""
    jars.install("connector")


def prepare_quix() -> None:
    """The environment of Quix Streams, by its own lock."""
    lock = HERE / "requirements.lock"
    stamp = QUIX / "requirements.lock"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return
    venv.create(QUIX, clear=True, with_pip=True)
    install = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--require-hashes", "-r", str(lock)]
    done = subprocess.run([str(QUIX / "bin" / "python"), *install], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClicktrailError(f"Quix Streams could not be installed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    stamp.write_bytes(lock.read_bytes())


CONTENDERS: tuple[Contender, ...] = (
    Contender(
        "clicktrail",
        "the job of this project: Spark Structured Streaming, decoding and writing in Arrow functions (orjson, "
        "cassandra-driver), cells encoded without the driver, unlogged batches of up to ten visitors' days and 40 kB, "
        "64 requests in flight",
        _clicktrail_command,
        _clicktrail_env,
        _clicktrail_acknowledged,
    ),
    Contender(
        "python",
        "a hand-written consumer: confluent-kafka, orjson (clicktrail's own decode), cassandra-driver (libev, Cython); "
        "a process a core with partitions of its own, chunks of 20,000 records, cells encoded without the driver, "
        "unlogged batches of one visitor's day up to 50 rows, 64 requests in flight",
        lambda work: [sys.executable, "-m", "benchmarks.peers.python_consumer"],
        _python_env,
    ),
    Contender(
        "quix",
        "Quix Streams with a batching sink for Cassandra; a process a core in one group, a checkpoint each 20,000 "
        "records, a chain without branches, else decoding and writing as the hand-written consumer",
        lambda work: [str(QUIX / "bin" / "python"), "-m", "benchmarks.peers.quix_streams"],
        _python_env,
        prepare=prepare_quix,
    ),
    Contender(
        "java",
        "a plain Java client: kafka-clients, Jackson's streaming parser, the DataStax driver; a thread a core with "
        "partitions of its own, chunks of 25,000 records, unlogged batches of one visitor's day up to 32 KiB, "
        "128 requests in flight, each distinct user agent, page and referrer worked on once; classes from an "
        "archive, the JVM's quick compiler alone",
        _java_command,
        _java_env,
        prepare=java_client.prepare,
    ),
    Contender(
        "tutorial",
        "Spark as tutorials have it: a row-at-a-time Python UDF, foreachBatch with a persisted batch of at most 50,000 "
        "offsets, the connector's defaults (batches of 1 KiB, nulls written)",
        _tutorial_command,
        _tutorial_env,
        prepare=prepare_tutorial,
    ),
)


def named(name: str) -> Contender:
    """One of them."""
    return next(each for each in CONTENDERS if each.name == name)
