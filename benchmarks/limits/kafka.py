"""Kafka's own measuring tools, over records of the workload's mean size."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from benchmarks import jars as own_jars
from benchmarks.limits.child import run
from benchmarks.work import Limit, Work, plain_env, scratch
from clicktrail import jars
from clicktrail.errors import ClicktrailError
from clicktrail.java import find_java

_PAYLOADS = 2_000
_SENT = re.compile(r"(\d+) records sent, ([\d.]+) records/sec")


def kafka_producer(work: Work, events: int) -> Limit:
    """``ProducerPerformance``: acks=all, idempotent, lz4, as all contenders; the workload's own messages."""
    payloads = _payloads(work)
    command = _command(
        "org.apache.kafka.tools.ProducerPerformance",
        *("--topic", work.transformed_topic, "--num-records", str(events), "--throughput", "-1"),
        *("--payload-file", str(payloads)),
        *("--producer-props", f"bootstrap.servers={work.bootstrap}", "acks=all", "enable.idempotence=true"),
        *("compression.type=lz4", "linger.ms=20", "batch.size=262144"),
    )
    done = run(command, plain_env())
    sent = _SENT.findall(done.said)
    if not sent or int(sent[-1][0]) != events:
        raise ClicktrailError(f"ProducerPerformance did not say how fast it was: {done.said[-1000:]}")
    seconds = events / float(sent[-1][1])
    return Limit(
        "Kafka's producer", "ProducerPerformance, acks=all, idempotent, lz4", events, seconds, done.cpu_seconds
    )


def kafka_consumer(work: Work, events: int) -> Limit:
    """``ConsumerPerformance`` over the source topic; the time of joining the group is not counted."""
    command = _command(
        "org.apache.kafka.tools.ConsumerPerformance",
        *("--bootstrap-server", work.bootstrap, "--topic", work.source_topic, "--messages", str(events)),
        *("--group", f"{work.group}-perf-{time.time_ns()}", "--timeout", "60000"),
    )
    done = run(command, plain_env())
    header, *rows = (line.split(", ") for line in done.said.splitlines() if "," in line)
    row = dict(zip([name.strip() for name in header], rows[-1], strict=True))
    seconds = int(row["fetch.time.ms"]) / 1000
    read = int(row["data.consumed.in.nMsg"])
    return Limit("Kafka's consumer", "ConsumerPerformance, its defaults, one thread", read, seconds, done.cpu_seconds)


def _command(main: str, *args: str) -> list[str]:
    files = [*own_jars.install("tools"), *jars.paths("kafka")]
    return [str(find_java()), "-Xms512m", "-Xmx512m", "-cp", os.pathsep.join(map(str, files)), main, *args]


def _payloads(work: Work) -> Path:
    """Messages of the source topic, one a line; those that hold a line's end are left out."""
    from confluent_kafka import Consumer

    consumer = Consumer(
        {"bootstrap.servers": work.bootstrap, "group.id": f"{work.group}-payloads", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([work.source_topic])
    lines: list[bytes] = []
    deadline = time.monotonic() + 60
    while len(lines) < _PAYLOADS and time.monotonic() < deadline:
        read = [message.value() for message in consumer.consume(_PAYLOADS, 1.0) if not message.error()]
        lines += [value for value in read if value and len(value) < 10_000 and b"\n" not in value]
        if lines and not read:
            break
    consumer.close()
    path = scratch(work) / "payloads.txt"
    path.write_bytes(b"\n".join(lines[:_PAYLOADS]) + b"\n")
    return path
