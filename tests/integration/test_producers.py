"""The producers against a real broker: what arrives is what was made, confirmed, and by the right key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, Message, TopicPartition
from kafka.partitioner import murmur2

from clicktrail.brokers import confluent_config
from clicktrail.errors import ClicktrailError
from clicktrail.sending import Sender
from clicktrail.settings import Settings
from clicktrail.simulate import Order, clicks
from producers import click_producer, replay_producer
from tests.integration.support import free_ports, wait_for

SAMPLE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "web_access.log"
ORDER = Order(7, "manual__2026-11-20T12:00:00+00:00", 2000, visitors=100, invalid=0.02, duplicates=0.02)


class Topic:
    """Reads what came into the source topic since the last look."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen: dict[int, int] = {}
        self.consumer = Consumer(confluent_config(settings) | {"group.id": "test", "enable.auto.commit": False})
        self.new()

    def new(self) -> list[Message]:
        """All messages since the last call, each partition in its order."""
        found = []
        topic = self._settings.source_topic
        for partition in range(self._settings.topic_partitions):
            _, end = self.consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=60)
            begin = self._seen.get(partition, end)
            self._seen[partition] = end
            if begin < end:
                found += self._read(partition, begin, end)
        return found

    def _read(self, partition: int, begin: int, end: int) -> list[Message]:
        read: list[Message] = []
        self.consumer.assign([TopicPartition(self._settings.source_topic, partition, begin)])

        def full() -> bool:
            read.extend(self.consumer.consume(end - begin - len(read), timeout=1))
            return len(read) == end - begin

        wait_for(full, f"reading {end - begin} messages", pause=0)
        assert not [message.error() for message in read if message.error()]
        return read


@pytest.fixture
def topic(pipeline: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    for name, value in pipeline.to_env().items():
        monkeypatch.setenv(name, value)
    topic = Topic(pipeline)
    yield topic
    topic.consumer.close()


def test_clicks_arrive_as_they_were_made_and_a_second_run_is_the_same(pipeline: Settings, topic: Topic) -> None:
    summary = click_producer.produce_clicks(pipeline, ORDER)
    assert (summary.count, summary.invalid, summary.duplicates) == (2000, 40, 40)
    first = topic.new()
    made = list(clicks(ORDER))
    for partition in range(pipeline.topic_partitions):
        arrived = [(message.key(), message.value()) for message in first if message.partition() == partition]
        wanted = [(key, value) for key, value in made if key is not None and _partition(key, pipeline) == partition]
        assert [pair for pair in arrived if pair[0] is not None] == wanted
    assert sum(message.key() is None for message in first) == sum(key is None for key, _ in made)
    assert {message.timestamp()[0] for message in first} == {TIMESTAMP_LOG_APPEND_TIME}

    click_producer.produce_clicks(pipeline, ORDER)
    second = topic.new()
    assert _pairs(second) == _pairs(first)


def test_the_click_producer_as_a_command(topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        click_producer.main(["--count", "200", "--seed", "3", "--run", "r1", "--visitors", "9", "--rate", "4000"]) == 0
    )
    assert _pairs(topic.new()) == sorted(clicks(Order(3, "r1", 200, visitors=9)))
    assert "200 messages sent and confirmed" in capsys.readouterr().out


def test_a_log_is_replayed_and_its_bad_lines_are_shown(
    topic: Topic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "access.log"
    line = '203.0.113.7 - - [17/May/2015:10:05:{:02d} +0000] "GET /page/{} HTTP/1.1" 200 5 "-" "Mozilla/5.0"\n'
    log.write_text("".join("not a line\n" if n == 17 else line.format(n, n) for n in range(60)))
    args = [str(log), "--format", "combined-log", "--site", "www.example.org"]
    assert replay_producer.main(args) == 0
    said = capsys.readouterr().out
    assert "60 lines, 59 events sent and confirmed" in said
    assert "line 18: no line of a combined log" in said
    first = topic.new()
    pages = sorted(json.loads(message.value())["context"]["page"]["url"] for message in first)
    assert pages == sorted(f"http://www.example.org/page/{n}" for n in range(60) if n != 17)
    assert replay_producer.main(args) == 0
    assert _pairs(topic.new()) == _pairs(first)


def test_the_sample_log_arrives_whole(topic: Topic) -> None:
    if not SAMPLE.exists():
        pytest.skip(f"the sample data is not beside the project: {SAMPLE} is missing")
    assert replay_producer.main([str(SAMPLE), "--format", "combined-log"]) == 0
    assert len({json.loads(message.value())["messageId"] for message in topic.new()}) == 5000


def test_a_line_too_large_for_kafka_is_shown_and_the_rest_sent(
    topic: Topic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = tmp_path / "events.jsonl"
    large = '{"messageId":"2","userId":"u","timestamp":1767225600000,"properties":{"x":"' + "x" * 1_100_000 + '"}}'
    small = '{"messageId":"%d","userId":"u","timestamp":1767225600000}'
    events.write_text("\n".join([small % 1, large, small % 3]))
    assert replay_producer.main([str(events), "--format", "segment"]) == 0
    assert [json.loads(message.value())["messageId"] for message in topic.new()] == ["1", "3"]
    assert "line 2: too large for Kafka" in capsys.readouterr().out


def test_a_message_that_the_broker_refuses_is_an_error(pipeline: Settings, topic: Topic) -> None:
    larger = pipeline.with_changes(max_record_bytes=3 * pipeline.max_record_bytes)

    def send() -> None:
        with Sender(larger.with_changes(dead_letter_topic="other", transformed_topic="another")) as sender:
            sender.send(b"u", bytes(range(256)) * 10)
            sender.send(b"u", _incompressible(2 * pipeline.max_record_bytes))

    with pytest.raises(ClicktrailError, match="did not take"):
        send()
    assert len(topic.new()) <= 1


def test_no_broker_is_said_with_the_cure(
    pipeline: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLICKTRAIL_KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.setattr("clicktrail.sending._ANSWERS_WITHIN", 2)
    assert click_producer.main(["--count", "1"]) == 1
    assert "clicktrail up" in capsys.readouterr().err


def _pairs(messages: list[Message]) -> list[tuple[bytes, bytes]]:
    return sorted((message.key() or b"", message.value() or b"") for message in messages)


def _partition(key: bytes, settings: Settings) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % settings.topic_partitions


def _incompressible(size: int) -> bytes:
    import random

    return random.Random(1).randbytes(size)
