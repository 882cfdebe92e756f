"""Real traffic through the replay producer and the job; each figure is recounted from the file."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from clicktrail import store
from clicktrail.settings import Settings
from producers import replay_producer
from tests.integration.raw_recount import of_database, rows, stored_page_minutes
from tests.integration.support import run_job
from tests.integration.topic import read

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
LOG = DATA / "web_access.log"
OTTO = DATA / "otto_sessions.jsonl"
SITE = "www.semicomplete.example"
LINE = re.compile(r'(\S+) \S+ (\S+) \[([^\]]+)\] "(\S+) (\S+) ([^"]*)" (\d+) (\S+) "(.*?)" "(.*)"$')

pytestmark = pytest.mark.skipif(
    not (LOG.exists() and OTTO.exists()), reason="the sample data (../shared/data) is not beside this checkout"
)


def log_lines() -> list[dict[str, Any]]:
    """The log's lines, parsed in the test's own way."""
    found = []
    for line in LOG.read_text(encoding="utf-8").splitlines():
        match = LINE.match(line)
        assert match, line
        moment = datetime.strptime(match[3], "%d/%b/%Y:%H:%M:%S %z")
        found.append(
            {
                "visitor": (match[1], match[10]),
                "minute": round(moment.timestamp() * 1_000) // 60_000 * 60_000,
                "path": match[5].partition("?")[0],
            }
        )
    return found


@pytest.fixture(scope="module")
def replayed(pipeline: Settings) -> Settings:
    """Both files sent, and the job run over them once."""
    with pytest.MonkeyPatch.context() as patch:
        for name, content in pipeline.to_env().items():
            patch.setenv(name, content)
        assert replay_producer.main([str(LOG), "--format", "combined-log", "--site", SITE]) == 0
        assert replay_producer.main([str(OTTO), "--format", "otto"]) == 0
    run_job(pipeline)
    return pipeline


def test_each_line_is_an_event_or_a_dead_letter(replayed: Settings) -> None:
    lines = len(log_lines())
    assert lines == 5_000
    with store.connect(replayed) as session:
        events = rows(session, "events_by_user_day")
        dead = rows(session, "dead_letters")
        ledger = rows(session, "batch_ledger")
    of_log = [event for event in events if event["event_type"] == "page"]
    of_otto = [event for event in events if event["event_type"] == "track"]
    assert len(of_log) + len(dead) == lines
    assert not dead
    assert len(of_otto) == 862
    assert len(of_log) + len(of_otto) == len(events)
    assert sum(row["events_read"] for row in ledger) == lines + 862
    assert sum(row["repeats"] for row in ledger) == 0
    transformed = read(replayed, replayed.transformed_topic)
    assert len({record.headers["event_id"] for record in transformed}) == len(transformed) == lines + 862


def test_page_metrics_equal_a_recount_of_the_log(replayed: Settings) -> None:
    views: Counter[tuple[str, int]] = Counter()
    visitors: defaultdict[tuple[str, int], set[tuple[str, str]]] = defaultdict(set)
    for line in log_lines():
        views[line["path"], line["minute"]] += 1
        visitors[line["path"], line["minute"]].add(line["visitor"])
    with store.connect(replayed) as session:
        stored = stored_page_minutes(session)
    assert {site for site, _, _ in stored} == {SITE}
    counted = {(path, minute): (seen, people) for (_, path, minute), (seen, _, people) in stored.items()}
    assert counted == {key: (views[key], len(visitors[key])) for key in views}
    assert sum(seen for seen, _ in counted.values()) == 5_000
    assert 0 < sum(bots for _, bots, _ in stored.values()) < 5_000


def test_sessions_of_the_shop_are_all_there(replayed: Settings) -> None:
    names = {"clicks": "Product Viewed", "carts": "Product Added", "orders": "Order Completed"}
    expected = Counter(
        (f"otto-{session['session']}", event["ts"], names[event["type"]], str(event["aid"]))
        for session in map(json.loads, OTTO.read_text(encoding="utf-8").splitlines())
        for event in session["events"]
    )
    with store.connect(replayed) as session:
        stored = Counter(
            (row["user_id"], of_database(row["event_time"]), row["event_name"], row["product_id"])
            for row in rows(session, "events_by_user_day")
            if row["event_type"] == "track"
        )
    assert stored == expected
    assert stored.total() == 862
