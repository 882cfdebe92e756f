"""Cat photo events on real Kafka: each is in the file once, however the consumer ends; the DAG in real Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clicktrail.cats.broker import committed_offsets, send, topic_ends
from clicktrail.cats.consume import consume, drain
from clicktrail.cats.photos import CatApi, fetch_photos
from clicktrail.cats.simulate import CatEvent, simulate
from clicktrail.cats.store import ANALYTICS, EVENTS
from clicktrail.settings import Settings
from clicktrail.workflow.airflow_api import DONE, AirflowApi
from tests.integration.support import wait_for

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@contextmanager
def following(settings: Settings, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The consumer as a process, in small steps."""
    with (folder.parent / "consumer.log").open("ab") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "consumers.cat_photo_consumer",
                "--follow",
                "--batch",
                "20",
                "--folder",
                str(folder),
            ],
            env={**os.environ, **settings.to_env()},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(60)


def size(folder: Path) -> int:
    path = folder / EVENTS
    return path.stat().st_size if path.exists() else 0


def stored(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / EVENTS).read_bytes().splitlines()]


def recount(events: list[CatEvent]) -> dict[str, tuple[int, int, str, str]]:
    """Views, likes, first and last seen of each photo, straight from what was sent."""
    kinds = Counter((event["photo_id"], event["event"]) for event in events)
    times: dict[str, list[str]] = {}
    for event in events:
        times.setdefault(event["photo_id"], []).append(event["time"])
    return {photo: (kinds[photo, "view"], kinds[photo, "like"], min(seen), max(seen)) for photo, seen in times.items()}


def test_each_event_once_whenever_the_consumer_is_killed(stack: Settings, tmp_path: Path) -> None:
    settings = stack.with_changes(cat_topic="cat_photo_events_kill", cat_consumer_group="cats_kill")
    folder = tmp_path / "cats"
    photos = fetch_photos(CatApi(offline=True), 12)
    first = simulate(photos, 1, "first", NOW, mean_views=100)
    second = simulate(photos, 1, "second", NOW, mean_views=100)
    assert send(first, settings) == len(first) > 500

    seen = 0
    for grown in (1, 40_000, 90_000):  # right after the first write, and in the middle
        with following(settings, folder):
            wait_for(lambda: size(folder) >= seen + grown, f"{grown} more bytes in the file", pause=0.005)  # noqa: B023
        with (folder / EVENTS).open("ab") as file:  # as if the last write had been cut off
            file.write(b'{"partition":0,"offset":')
        seen = size(folder)

    send(first[:100], settings)  # a sender that was killed and started again
    send(second, settings)
    with following(settings, folder):
        wait_for(lambda: size(folder) > seen, "another write", pause=0.005)
        assert drain(settings, folder).written == 0  # as the DAG's task does beside a consumer that runs for good
    with following(settings, folder):
        pass  # killed while it starts
    done = consume(settings, folder)  # stops at the topic's end
    lost = settings.with_changes(cat_consumer_group="cats_kill_without_commits")
    again = consume(lost, folder)  # as if nothing had been committed
    assert again.written == 0

    lines = stored(folder)
    assert sorted(line["event_id"] for line in lines) == sorted(event["event_id"] for event in [*first, *second])
    assert len({(line["partition"], line["offset"]) for line in lines}) == len(lines)
    sent = {event["event_id"]: event for event in [*first, *second]}
    assert all({name: line[name] for name in sent[line["event_id"]]} == sent[line["event_id"]] for line in lines)

    analytics = json.loads((folder / ANALYTICS).read_text())
    figures = ("views", "likes", "first_seen", "last_seen")
    assert {name: tuple(row[key] for key in figures) for name, row in analytics["photos"].items()} == recount(
        [*first, *second]
    )
    abyssinian = [recount([*first, *second])[photo["id"]] for photo in photos if photo["breeds"] == ["Abyssinian"]]
    assert analytics["breeds"]["Abyssinian"]["views"] == sum(row[0] for row in abyssinian)
    assert committed_offsets(settings) == topic_ends(settings) == done.partitions


def test_the_dag_is_green_and_each_of_its_events_is_stored(airflow_stack: Settings) -> None:
    api = AirflowApi(airflow_stack)
    api.unpause("cat_photo_dag")
    run_id = api.trigger("cat_photo_dag", {"photos": 6, "seed": 3, "mean_views": 10}, datetime.now(UTC))
    state = wait_for(lambda: ended(api, "cat_photo_dag", run_id), "the run's end", timeout=600, pause=2)
    tasks = api.tasks("cat_photo_dag", run_id)
    failed = [name for name, task in tasks.items() if task.state == "failed"]
    assert state == "success", [(name, api.log("cat_photo_dag", run_id, name, 1)[-8:]) for name in failed]
    assert [photo["id"] for photo in api.result("cat_photo_dag", run_id, "fetch_photos")][:2] == [
        "unPP08xOZ",
        "0XYvRd7oD",
    ]
    sent = api.result("cat_photo_dag", run_id, "simulate_and_send")
    events = [line for line in stored(airflow_stack.cat_folder) if line["batch"] == run_id]
    assert [sent, *range(1, sent + 1)] == [len(events), *sorted(line["sequence"] for line in events)]
    assert sent >= 6
    said = " ".join(str(line["event"]) for line in api.log("cat_photo_dag", run_id, "fetch_photos", 1))
    assert "bundled sample" in said
    totals = api.result("cat_photo_dag", run_id, "analytics")
    assert totals["events"] == totals["views"] + totals["likes"] >= sent


def ended(api: AirflowApi, dag_id: str, run_id: str) -> str:
    """The run's state once it has ended, else nothing."""
    state = api.run_state(dag_id, run_id)
    return state if state in DONE else ""
