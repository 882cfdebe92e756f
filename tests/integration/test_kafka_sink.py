"""What a share hands on reaches both topics whole, or the share fails."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from kafka.partitioner import murmur2

from clicktrail.errors import ClicktrailError
from clicktrail.job.kafka_sink import KafkaSink
from clicktrail.settings import Settings
from clicktrail.topics import LARGEST, admin
from tests.integration import topic
from tests.integration.support import apart, wait_for
from tests.raw import Raw, call, decoded
from tests.samples import SITE

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SMALL = 4_000  # bytes of a record, at most: the topics take batches of twice as much
LETTER = b"\xff" + random.Random(1).randbytes(SMALL - 1)


@pytest.fixture(scope="module")
def settings(stack: Settings) -> Settings:
    return apart(stack, "kafka_sink", max_record_bytes=SMALL)


def records(*raw: Raw) -> pa.Table:
    return decoded(*raw, limit=SMALL)


def test_all_arrives_by_key_and_in_order(settings: Settings) -> None:
    """More than a client holds at once, in batches that the topics take."""
    page = {"url": f"https://{SITE}/", "title": "x" * 2_000}
    raw = [Raw(call(None, messageId=f"m-{n}", context={"page": page}), n, key=b"k-%d" % (n % 50)) for n in range(500)]
    letters = [Raw(LETTER, 1_000 + n, key=None) for n in range(20)]
    KafkaSink(settings).send(pa.concat_tables([records(*raw, *letters)] * 40))
    found = topic.read(settings, settings.transformed_topic)
    assert len(found) == 40 * 500
    assert {record.partition for record in found} == set(range(settings.topic_partitions))
    for record in found:
        assert record.key is not None
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % settings.topic_partitions
    offsets = [record.source[1] for record in found if record.key == b"k-7"]
    assert offsets == [*range(7, 500, 50)] * 40
    assert sum(map(len, (record.value or b"" for record in found))) > 32_768 * 1_024
    rejected = topic.read(settings, settings.dead_letter_topic)
    assert sorted(record.source[1] for record in rejected) == sorted([*range(1_000, 1_020)] * 40)
    assert {record.value for record in rejected} == {LETTER}


def test_what_a_broker_refuses_fails_the_share_and_the_next_one_has_a_client_that_works(settings: Settings) -> None:
    sink, letter, taken = KafkaSink(settings), records(Raw(LETTER, 2_000, key=None)), 0

    def refused() -> str:
        nonlocal taken
        try:
            sink.send(letter)
        except ClicktrailError as error:
            return str(error)
        taken += 1
        return ""

    assert not refused()
    limit(settings, 100)  # which the broker knows a moment later
    try:
        said = wait_for(refused, "a refusal", 60)
    finally:
        limit(settings, 2 * SMALL)
    assert "Kafka failed or went away: " in said
    assert "too large" in said
    wait_for(lambda: not refused(), "a record that is taken", 60)
    found = [record.source[1] for record in topic.read(settings, settings.dead_letter_topic)]
    assert found.count(2_000) == taken


def limit(settings: Settings, largest: int) -> None:
    """Let the topic of the dead letters take no more than so many bytes."""
    entry = ConfigEntry(LARGEST, str(largest), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, settings.dead_letter_topic, incremental_configs=[entry])
    client = admin(settings)
    for future in client.incremental_alter_configs([resource]).values():
        future.result(30)
