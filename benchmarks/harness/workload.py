"""The events that wait for the contenders: simulated clicks, the same for a seed, sent to a topic of their own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from confluent_kafka import KafkaError, Message, Producer

from clicktrail import topics
from clicktrail.brokers import confluent_config
from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings
from clicktrail.simulate import Order

INVALID = 0.02
DUPLICATES = 0.01
DEFAULT_ZIPF = 0.5
"""How the simulator spreads visits by default: some come often, most of them rarely."""
END = datetime(2025, 11, 1, tzinfo=UTC)
"""The last moment of the clicks."""


@dataclass(frozen=True)
class Workload:
    """What waits in a topic.

    Attributes:
        events: messages in all: 2 % of them invalid, 1 % exact repeats.
        partitions: of the topic.
        visitors: different ones that may come; 0 stands for one in twenty events, at least 1,000.
        zipf: exponent of the law by which they come; 0 is uniform.
        seed: gives the visitors and their clicks.
    """

    events: int
    partitions: int = 4
    visitors: int = 0
    zipf: float = DEFAULT_ZIPF
    seed: int = 1

    @property
    def topic(self) -> str:
        """The name of its topic."""
        return f"bench_{self.events}_{self.partitions}_{self.visitors}_{self.zipf:g}_{self.seed}".replace(".", "-")

    def order(self) -> Order:
        """What the simulator is asked for."""
        return Order(
            self.seed,
            f"benchmark {self.seed}",
            self.events,
            visitors=self.visitors or max(1_000, self.events // 20),
            end=END,
            window=timedelta(days=1),
            invalid=INVALID,
            duplicates=DUPLICATES,
            zipf=self.zipf,
        )


class Loader:
    """Sends prepared messages as fast as the client goes; raises where the broker refuses one."""

    def __init__(self, settings: Settings, topic: str, linger_ms: int = 20) -> None:
        self._topic, self._failed = topic, ""
        self._producer = Producer(
            confluent_config(settings)
            | {
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",
                "linger.ms": linger_ms,
                "batch.size": 262_144,
                "message.max.bytes": 4_000_000,
                "queue.buffering.max.messages": 200_000,
                "queue.buffering.max.kbytes": 262_144,
                "log_level": 0,  # what goes wrong is said by finish()
            }
        )

    def send(self, key: bytes | None, value: bytes | None) -> None:
        """Hand over a message; waits where too many are on their way."""
        while True:
            try:
                self._producer.produce(self._topic, value, key, on_delivery=self._delivered)
                return
            except BufferError:
                self._producer.poll(0.05)

    def poll(self) -> None:
        """Take what the broker has confirmed."""
        self._producer.poll(0)

    def finish(self, timeout: float = 300) -> None:
        """Wait until all is confirmed.

        Raises:
            ClicktrailError: something was not.
        """
        left = self._producer.flush(timeout)
        if left or self._failed:
            raise ClicktrailError(f"{left} messages for topic {self._topic} are not confirmed; {self._failed}")

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed = str(error)


def make_topic(settings: Settings, name: str, partitions: int) -> None:
    """Make a topic as the pipeline's source is made, together with the two that are written beside it."""
    topics.ensure_topics(settings_of(settings, name, partitions))


def settings_of(settings: Settings, source: str, partitions: int, run: str = "") -> Settings:
    """Settings whose three topics belong together: ``run`` names those that a run writes."""
    return settings.with_changes(
        source_topic=source,
        transformed_topic=f"{run or source}_transformed",
        dead_letter_topic=f"{run or source}_dead",
        topic_partitions=partitions,
    )


def preload(settings: Settings, workload: Workload) -> dict[str, float]:
    """Make the workload's topic and fill it; ``seconds`` and the mean ``event_bytes``."""
    from clicktrail.simulate import clicks

    make_topic(settings, workload.topic, workload.partitions)
    loader, size, began = Loader(settings, workload.topic), 0, time.perf_counter()
    for number, (key, value) in enumerate(clicks(workload.order())):
        loader.send(key, value)
        size += len(value or b"")
        if number % 1_000 == 0:
            loader.poll()
    loader.finish()
    return {"seconds": time.perf_counter() - began, "event_bytes": size / max(1, workload.events)}
