from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest

from clicktrail.errors import ClicktrailError
from clicktrail.job import runner, waiting
from clicktrail.settings import Settings
from spark_jobs import clickstream_job


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ("available-now", {"availableNow": True}),
        ("1s", {"processingTime": "1 seconds"}),
        ("500ms", {"processingTime": "500 milliseconds"}),
        ("5m", {"processingTime": "5 minutes"}),
    ],
)
def test_triggers(trigger: str, expected: dict[str, Any]) -> None:
    assert runner.Run(trigger).spark_trigger == expected


@pytest.mark.parametrize("trigger", ["", "now", "1", "1 s", "-1s", "1h", "1s; x"])
def test_other_triggers_are_refused(trigger: str) -> None:
    with pytest.raises(ClicktrailError, match="available-now or an interval"):
        runner.Run(trigger)


def test_checkpoint_is_required_and_must_last(tmp_path: Path) -> None:
    elsewhere = Settings(home=tmp_path / "home")
    with pytest.raises(ClicktrailError, match="CLICKTRAIL_CHECKPOINT_DIR"):
        runner.checked_checkpoint(elsewhere)
    for folder in ("/tmp/checkpoint", "/var/tmp/x/y", "/dev/shm/c", f"{tempfile.gettempdir()}/c", "/var/../tmp/c"):
        with pytest.raises(ClicktrailError, match="a reboot empties"):
            runner.checked_checkpoint(elsewhere.with_changes(checkpoint_dir=folder))
    for folder in ("/srv/checkpoint", "/tmpfiles/checkpoint", "s3a://bucket/tmp/checkpoint"):
        assert runner.checked_checkpoint(elsewhere.with_changes(checkpoint_dir=folder)) == folder
    own = str(elsewhere.home / "checkpoints")  # whoever puts the home there has decided so
    assert runner.checked_checkpoint(elsewhere.with_changes(checkpoint_dir=own)) == own


def test_windows() -> None:
    assert waiting.parse_window("") == {}
    assert waiting.parse_window('{"0": [5, 10], "3": [0, 0]}') == {0: (5, 10), 3: (0, 0)}


@pytest.mark.parametrize("text", ["x", "[]", '{"0": 5}', '{"a": [1, 2]}', '{"0": [1, 2, 3]}', "null"])
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(ClicktrailError, match="--window"):
        waiting.parse_window(text)


def test_failure_is_said_in_a_sentence() -> None:
    trace = (
        "Job aborted\n  File x\nclicktrail.errors.ClicktrailError: topic t has records. Do this\n\tat org.apache.spark"
    )
    assert runner._in_a_sentence(trace) == "topic t has records. Do this"
    lost = runner._in_a_sentence("org.apache.kafka.clients.consumer.OffsetOutOfRangeException: ...")
    assert lost.startswith("the topic no longer has offsets")


WORKER = """\
[STREAM_FAILED] Query [id = 9c5d, runId = 1f2a] terminated with exception: An exception was raised by the Python \
Proxy. Return Message: Traceback (most recent call last):
  File "py4j/clientserver.py", line 617, in _call_proxy
    return_value = getattr(self.pool[obj_id], method)(*params)
  File "clicktrail/job/batch.py", line 71, in __call__
    report = Report.together(bytes(row.report) for row in transforms.reports(out).collect())
pyspark.errors.exceptions.captured.PythonException:
  An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "clicktrail/job/share.py", line 307, in _refuse_foreign_times
    raise ClicktrailError(
{error}
"""
"""What Spark says where a worker failed; tests/spark has it from Spark itself."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("clicktrail.errors.ClicktrailError: topic t has records. Do this\n", "topic t has records. Do this"),
        (
            "cassandra.cluster.NoHostAvailable: ('Unable to complete', {})\n",
            "Cassandra failed or went away: cassandra.cluster.NoHostAvailable: ('Unable to complete', {}). Nothing is "
            "lost: the next run does the cut-off batch again",
        ),
    ],
)
def test_failure_of_a_worker_is_said_in_a_sentence(error: str, said: str) -> None:
    assert runner._in_a_sentence(WORKER.replace("{error}", error)) == said


JAVA = "py4j.protocol.Py4JJavaError: An error occurred while calling o1.save.\n: "
"""How PySpark begins what it says of a failure in the JVM."""


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        (
            "Traceback\n  File x\ncassandra.cluster.NoHostAvailable: ('Unable to complete', {})\n\tat py4j",
            "Cassandra failed or went away: cassandra.cluster.NoHostAvailable: ('Unable to complete', {}). ",
        ),
        (
            JAVA
            + "java.lang.IllegalStateException: Control channel not available\n\tat com.datastax.oss.driver.internal",
            "Cassandra failed or went away: java.lang.IllegalStateException: Control channel not available. ",
        ),
        ("x\ncassandra.WriteTimeout: Error from server\n", "Cassandra failed or went away: cassandra.WriteTimeout: "),
        (
            JAVA + "org.apache.kafka.common.errors.TimeoutException: Topic t not present\n\tat org.apache.spark",
            "Kafka failed or went away: org.apache.kafka.common.errors.TimeoutException: Topic t not present. ",
        ),
    ],
)
def test_server_that_goes_away_is_named(trace: str, said: str) -> None:
    sentence = runner._in_a_sentence(trace)
    assert sentence.startswith(said)
    assert "\n" not in sentence


def test_other_failures_are_shown_as_they_are() -> None:
    assert runner._in_a_sentence(JAVA + "java.lang.OutOfMemoryError: heap") == JAVA + "java.lang.OutOfMemoryError: heap"


def test_arguments_of_the_job() -> None:
    given = clickstream_job.arguments([])
    assert (given.trigger, given.max_minutes, given.window) == ("available-now", 0, "")
    given = clickstream_job.arguments(["--trigger", "1s", "--max-minutes", "2.5", "--window", '{"0": [0, 1]}'])
    assert (given.trigger, given.max_minutes, given.window) == ("1s", 2.5, '{"0": [0, 1]}')


def test_job_without_a_checkpoint_ends_with_1_before_spark_starts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert clickstream_job.main([]) == 1
    assert "CLICKTRAIL_CHECKPOINT_DIR" in caplog.text
    caplog.clear()
    monkeypatch.setenv("CLICKTRAIL_LEASE_SECONDS", "soon")
    assert clickstream_job.main([]) == 1
    assert "CLICKTRAIL_LEASE_SECONDS" in caplog.text
