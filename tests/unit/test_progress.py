"""Progress for people: what is committed, and that nothing of it can fail the job."""

from __future__ import annotations

import json
import logging

import pytest

from clicktrail.job.progress import ProgressCommitter, group_offsets, offsets_of
from clicktrail.settings import Settings


def test_offsets_are_read_from_text_and_from_a_mapping() -> None:
    reported = {"user_clickstream": {"1": 7, "0": 12}, "other": {"0": 3}}
    assert offsets_of(reported, "user_clickstream") == {0: 12, 1: 7}
    assert offsets_of(json.dumps(reported), "user_clickstream") == {0: 12, 1: 7}


def test_nothing_reported_is_nothing_to_commit() -> None:
    assert offsets_of(None, "user_clickstream") == {}
    assert offsets_of({"other": {"0": 3}}, "user_clickstream") == {}


def test_the_request_names_group_topic_and_each_partition() -> None:
    request = group_offsets("people", "clicks", {2: 30, 0: 10})
    assert request.group_id == "people"
    assert [(entry.topic, entry.partition, entry.offset) for entry in request.topic_partitions] == [
        ("clicks", 0, 10),
        ("clicks", 2, 30),
    ]


def test_no_offsets_need_no_broker() -> None:
    assert ProgressCommitter(Settings(kafka_bootstrap_servers="127.0.0.1:1")).commit({}) is True


def test_a_negative_offset_is_logged_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    committer = ProgressCommitter(Settings(kafka_bootstrap_servers="127.0.0.1:1"), timeout_seconds=1.0)
    with caplog.at_level(logging.WARNING, logger="clicktrail.job.progress"):
        assert committer.commit({0: -5}) is False
    assert "was not committed" in caplog.text


def test_a_broker_that_is_away_is_logged_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    committer = ProgressCommitter(Settings(kafka_bootstrap_servers="127.0.0.1:1"), timeout_seconds=1.0)
    with caplog.at_level(logging.WARNING, logger="clicktrail.job.progress"):
        assert committer.commit({0: 5}) is False
    assert "clickstream_job was not committed" in caplog.text
