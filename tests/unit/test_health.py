"""Checks, incidents and channels of pipeline health."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clicktrail.errors import ClicktrailError
from clicktrail.health import channels, checks, incidents
from clicktrail.health.checks import BAD, OK, UNKNOWN, Finding
from clicktrail.health.incidents import ALERT, OVER, DeliveryError, Notice
from clicktrail.health.measure import DagMeasure, KafkaMeasure, LedgerMeasure, PartitionMarks, RunsMeasure
from clicktrail.settings import Settings

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
BOUNDS = checks.Bounds(("clicks", "out"), lag=10, stale_seconds=60, dead_letter_percent=5, late=timedelta(minutes=30))


def kafka(**changes: Any) -> KafkaMeasure:
    measured = KafkaMeasure(
        error="",
        brokers=1,
        topics={"clicks": "LogAppendTime", "out": "LogAppendTime"},
        source={"0": PartitionMarks(first=0, end=100, due=90), "1": PartitionMarks(first=40, end=50, due=40)},
        group_lag={"cats": 3},
    )
    return KafkaMeasure(**{**measured, **changes})


def ledger(**changes: Any) -> LedgerMeasure:
    measured = LedgerMeasure(error="", covered={"0": 100, "1": 50}, read=1000, good=990)
    return LedgerMeasure(**{**measured, **changes})


def dag(**changes: Any) -> DagMeasure:
    measured = DagMeasure(
        dag_id="etl",
        paused=False,
        next_run_after="2026-05-04T11:45:00Z",
        finished_run="run-1",
        finished_state="success",
        queued_run="",
        queued_at="",
    )
    return DagMeasure(**{**measured, **changes})


def judged(k: KafkaMeasure, c: LedgerMeasure, *dags: DagMeasure, error: str = "") -> dict[str, str]:
    findings = checks.judge(k, c, RunsMeasure(error=error, dags=list(dags)), BOUNDS, NOW)
    return {finding["key"]: finding["state"] for finding in findings}


def test_all_is_well() -> None:
    assert set(judged(kafka(), ledger(), dag()).values()) == {OK}


def test_a_broker_that_is_away_is_one_finding() -> None:
    away = kafka(error="Local: Broker transport failure", brokers=0, topics={}, source={}, group_lag={})
    found = judged(away, ledger(), dag())
    assert [key for key, state in found.items() if state == BAD] == ["kafka"]
    assert {key for key, state in found.items() if state == UNKNOWN} == {"topics", "lag", "freshness"}


def test_a_cassandra_that_is_away_is_one_finding() -> None:
    found = judged(kafka(), ledger(error="no host", covered={}, read=0, good=0), dag())
    assert [key for key, state in found.items() if state == BAD] == ["cassandra"]
    assert {key for key, state in found.items() if state == UNKNOWN} == {"lag", "freshness", "dead_letters"}


def test_an_api_that_is_away_is_one_finding() -> None:
    assert judged(kafka(), ledger(), error="refused")["airflow"] == BAD


def test_topics_must_exist_with_the_brokers_clock() -> None:
    finding = checks.topics(kafka(topics={"clicks": "CreateTime"}), ("clicks", "out"))
    assert finding["state"] == BAD
    assert "out is missing" in finding["text"]
    assert "clicks has message.timestamp.type=CreateTime" in finding["text"]


@pytest.mark.parametrize(
    ("covered", "waiting", "overdue"),
    [
        ({"0": 100, "1": 50}, 0, 0),
        ({"0": 95, "1": 45}, 10, 0),
        ({"0": 89, "1": 50}, 11, 1),
        ({"0": 80, "1": 0}, 30, 10),  # offsets below `first` are gone and do not wait
        ({}, 110, 90),
    ],
)
def test_lag_and_freshness(covered: dict[str, int], waiting: int, overdue: int) -> None:
    lag = checks.lag(kafka(), ledger(covered=covered), 10)
    assert lag["text"].startswith(f"{waiting} events wait")
    assert lag["state"] == (BAD if waiting > 10 else OK)
    fresh = checks.freshness(kafka(), ledger(covered=covered), 60)
    assert fresh["state"] == (BAD if overdue else OK)
    assert fresh["text"].startswith(f"{overdue or 'no'} event")


def test_group_lag() -> None:
    found = checks.group_lags(kafka(group_lag={"cats": 11, "dogs": 10}), 10)
    assert [(one["key"], one["state"]) for one in found] == [("group_lag/cats", BAD), ("group_lag/dogs", OK)]


@pytest.mark.parametrize(
    ("read", "good", "state"), [(0, 0, OK), (99, 0, OK), (100, 95, OK), (100, 94, BAD), (1000, 950, OK)]
)
def test_dead_letter_rate(read: int, good: int, state: str) -> None:
    assert checks.dead_letters(ledger(read=read, good=good), 5)["state"] == state


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"finished_state": "failed"}, "run run-1 failed"),
        ({"next_run_after": "2026-05-04T11:29:59Z"}, "the run of 2026-05-04T11:29:59Z has not started"),
        ({"next_run_after": "2026-05-04T11:29:59Z", "paused": True}, ""),
        ({"next_run_after": ""}, ""),
        ({"queued_run": "run-2", "queued_at": "2026-05-04T11:00:00+00:00"}, "run run-2 has been queued"),
        ({"queued_run": "run-2", "queued_at": "2026-05-04T11:50:00+00:00"}, ""),
    ],
)
def test_failed_and_late_runs(changes: dict[str, Any], said: str) -> None:
    finding = checks.dag_runs(dag(**changes), BOUNDS.late, NOW)
    assert finding["key"] == "dag_runs/etl"
    assert finding["state"] == (BAD if said else OK)
    assert said in finding["text"]


def finding(key: str, state: str) -> Finding:
    return Finding(key=key, state=state, text=f"{key} is {state}")


def test_one_alert_and_one_all_clear(tmp_path: Path) -> None:
    told: list[Notice] = []

    def run(minute: int, *found: Finding) -> list[tuple[str, str]]:
        notices = incidents.announce(tmp_path, found, {"list": told.append}, NOW + timedelta(minutes=minute))
        return [(notice["kind"], notice["key"]) for notice in notices]

    assert run(0, finding("kafka", OK), finding("lag", OK)) == []
    assert run(5, finding("kafka", BAD), finding("lag", UNKNOWN)) == [(ALERT, "kafka")]
    assert run(10, finding("kafka", BAD), finding("lag", UNKNOWN)) == []
    assert run(15, finding("kafka", OK), finding("lag", BAD)) == [(OVER, "kafka"), (ALERT, "lag")]
    assert run(20, finding("kafka", OK), finding("lag", UNKNOWN)) == []
    assert run(25, finding("kafka", OK), finding("lag", OK)) == [(OVER, "lag")]
    assert [channels.sentence(notice) for notice in told] == [
        "ALERT kafka: kafka is bad",
        "ALL CLEAR kafka: kafka is ok (it lasted 0:10:00)",
        "ALERT lag: lag is bad",
        "ALL CLEAR lag: lag is ok (it lasted 0:10:00)",
    ]


def test_a_channel_that_fails_is_tried_again_and_no_other_is_told_twice(tmp_path: Path) -> None:
    told: list[str] = []
    mailed: list[str] = []
    broken = True

    def mail(notice: Notice) -> None:
        if broken:
            raise DeliveryError("no mail server")
        mailed.append(notice["kind"])

    both = {"mail": mail, "log": lambda notice: told.append(notice["kind"])}
    with pytest.raises(DeliveryError, match="mail: no mail server"):
        incidents.announce(tmp_path, [finding("kafka", BAD)], both, NOW)
    with pytest.raises(DeliveryError):
        incidents.announce(tmp_path, [finding("kafka", OK)], both, NOW)
    assert told == [ALERT, OVER]
    broken = False
    assert incidents.announce(tmp_path, [finding("kafka", OK)], both, NOW) == []
    assert (told, mailed) == ([ALERT, OVER], [ALERT, OVER])
    assert json.loads((tmp_path / incidents.STATE).read_text()) == {"incidents": {}, "outbox": []}


def test_a_state_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / incidents.STATE).write_text("{")
    with pytest.raises(ClicktrailError, match="Delete it"):
        incidents.announce(tmp_path, [], {}, NOW)


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if self.path == "/secret" else 500)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.enable_socket
def test_webhook_and_log(hook: tuple[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    address, got = hook
    settings = Settings(health_webhook_url=f"{address}/secret")
    assert "secret" not in repr(settings)
    wanted = channels.channels(settings, tmp_path)
    assert list(wanted) == ["log", "webhook"]
    incidents.announce(tmp_path, [finding("kafka", BAD)], wanted, NOW)
    at = "2026-05-04T12:00:00+00:00"
    assert got == [{"text": "ALERT kafka: kafka is bad", "kind": "alert", "incident": "kafka", "at": at, "since": at}]
    logged = [json.loads(line) for line in (tmp_path / channels.ALERTS).read_text().splitlines()]
    assert [(line["kind"], line["key"]) for line in logged] == [("alert", "kafka")]
    notice = Notice(kind=ALERT, key="kafka", text="", at=at, since=at)
    with pytest.raises(DeliveryError, match="HTTP 500") as refused:
        channels.to_webhook(notice, f"{address}/other")
    assert address not in str(refused.value)


def test_email_only_where_configured(tmp_path: Path) -> None:
    assert list(channels.channels(Settings(), tmp_path)) == ["log"]
    assert list(channels.channels(Settings(health_email_to="ops@example.com"), tmp_path)) == ["log", "email"]
