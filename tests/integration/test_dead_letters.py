"""Dead letters are listed by hour and reason, and sent again byte for byte."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from typer.testing import CliRunner

from clicktrail.cli import app
from clicktrail.settings import Settings
from clicktrail.simulate import Order
from clicktrail.workflow.broker import Broker, Record
from producers.click_producer import Summary, produce_clicks
from tests.integration.support import run_job

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def sent(pipeline: Settings) -> Summary:
    summary = produce_clicks(pipeline, Order(seed=1, run="dead letters", count=300, invalid=0.2))
    run_job(pipeline)
    return summary


def say(settings: Settings, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["dead-letters", *arguments], env=settings.to_env())
    assert done.exit_code == 0, f"{done.output}\n{done.exception}"
    return done.output


def raw(settings: Settings) -> list[Record]:
    with Broker(settings) as broker:
        return list(broker.read_since(settings.source_topic, 0))


def test_all_of_them_are_listed_with_their_reasons(pipeline: Settings, sent: Summary) -> None:
    lines = say(pipeline, "list", "--format", "json", "--limit", "1000").splitlines()
    found = [json.loads(line) for line in lines]
    assert Counter(one["reason"] for one in found) == Counter(sent.reasons)
    times = [one["received_at"] for one in found]
    assert times == sorted(times)


def test_a_reason_can_be_chosen_and_a_range_can_be_empty(pipeline: Settings, sent: Summary) -> None:
    count = sent.reasons["not_json"]
    assert f"{count} dead letters: {count} not_json" in say(pipeline, "list", "--reason", "not_json")
    assert "0 dead letters" in say(pipeline, "list", "--from", "2001-01-01T00", "--to", "2001-01-01T05")


def test_replay_sends_the_original_bytes_of_what_was_chosen(pipeline: Settings, sent: Summary) -> None:
    before = raw(pipeline)
    count = sent.reasons["not_json"]
    assert f"{count} dead letters would be sent" in say(
        pipeline, "replay", "--from", "24h", "--reason", "not_json", "--dry-run"
    )
    assert len(raw(pipeline)) == len(before)

    listed = say(pipeline, "list", "--format", "json", "--reason", "not_json").splitlines()
    places = {(one["partition"], one["offset"]) for one in map(json.loads, listed)}
    rejected = Counter((r.key, r.value) for r in before if (r.partition, r.offset) in places)
    assert f"{count} dead letters sent" in say(pipeline, "replay", "--from", "24h", "--reason", "not_json")
    seen = {(r.partition, r.offset) for r in before}
    again = Counter((r.key, r.value) for r in raw(pipeline) if (r.partition, r.offset) not in seen)
    assert again == rejected
    assert again.total() == count
