"""How fast the click producer is, and what each of its levers gives: ``python -m benchmarks.producer [COUNT]``.

Uses the Kafka of the settings (start one with ``clicktrail up``), with topics of its own that are deleted afterwards.
One process makes the events and sends them; the time ends when the broker has confirmed the last one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import orjson
from kafka.partitioner import DefaultPartitioner
from kafka.record import default_records
from kafka.record._crc32c import crc as crc_in_python
from rich.console import Console
from rich.table import Table

from clicktrail.sending import Sender
from clicktrail.settings import Settings
from clicktrail.simulate import Order, clicks
from clicktrail.topics import delete_topics

Seconds = float
TOPIC = "clicktrail_benchmark"


def measure(order: Order, settings: Settings, **client: object) -> Seconds:
    """Make and send all of ``order``."""
    with Sender(settings, **client) as sender:
        began = time.perf_counter()
        for key, value in clicks(order):
            sender.send(key, value)
        sender.flush()
        return time.perf_counter() - began


def generate(order: Order, settings: Settings) -> Seconds:
    """Make the events only."""
    began = time.perf_counter()
    for _ in clicks(order):
        pass
    return time.perf_counter() - began


def one_at_a_time(order: Order, settings: Settings) -> Seconds:
    """The simplest producer: the client's defaults, a dictionary encoded for each event."""
    with (
        Sender(
            settings, compression_type=None, batch_size=16_384, linger_ms=0, partitioner=DefaultPartitioner()
        ) as sender,
        _crc_in_python(),
    ):
        events = [(key, orjson.loads(value or b"")) for key, value in clicks(order)]
        began = time.perf_counter()
        for key, event in events:
            sender.send(key, orjson.dumps(event))
        sender.flush()
        return time.perf_counter() - began


def without_crc(order: Order, settings: Settings) -> Seconds:
    """CRC-32C in pure Python, as kafka-python has it by itself."""
    with _crc_in_python():
        return measure(order, settings)


@contextmanager
def _crc_in_python() -> Iterator[None]:
    with mock.patch.object(default_records, "calc_crc32c", crc_in_python):
        yield


VARIANTS: dict[str, Callable[[Order, Settings], Seconds]] = {
    "events made, nothing sent": generate,
    "as the project sends them": measure,
    "… CRC-32C in pure Python": without_crc,
    "… murmur2 for each event": lambda order, settings: measure(order, settings, partitioner=DefaultPartitioner()),
    "… batches of 16 KiB, no linger": lambda order, settings: measure(order, settings, batch_size=16_384, linger_ms=0),
    "… not compressed": lambda order, settings: measure(order, settings, compression_type=None),
    "none of it (client's defaults)": one_at_a_time,
}


def main(argv: list[str] | None = None) -> None:
    """Measure each variant once, after a warm-up."""
    given = sys.argv[1:] if argv is None else argv
    count = int(given[0]) if given else 100_000
    settings = Settings.from_env().with_changes(
        source_topic=TOPIC, transformed_topic=f"{TOPIC}_transformed", dead_letter_topic=f"{TOPIC}_dead"
    )
    table = Table("variant", "events/s", title=f"{count:,} events of about 680 bytes, kafka-python, one process")
    table.columns[1].justify = "right"
    try:
        measure(Order(1, "warm-up", 5000), settings)
        for name, variant in VARIANTS.items():
            table.add_row(name, f"{count / variant(Order(1, name, count), settings):,.0f}")
    finally:
        delete_topics(settings)
    Console().print(table)


if __name__ == "__main__":
    main()
