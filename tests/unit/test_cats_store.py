"""Simulation, event file and analytics of the cat photos."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clicktrail.cats.photos import Photo
from clicktrail.cats.simulate import CatEvent, iso, simulate
from clicktrail.cats.store import ANALYTICS, EVENTS, EventStore, Record, load_analytics, load_totals, parse
from clicktrail.commands.cats import By, rows_of
from clicktrail.errors import ClicktrailError

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PHOTOS = [
    Photo(id="a", url="https://cats/a.jpg", breeds=["Bengal"]),
    Photo(id="b", url="https://cats/b.jpg", breeds=["Bengal", "Siamese"]),
    Photo(id="c", url="https://cats/c.jpg", breeds=[]),
]


def open_store(folder: Path) -> EventStore:
    return EventStore(folder, lambda: NOW)


def records(events: list[CatEvent], first: int = 0, partition: int = 0) -> list[Record]:
    return [
        Record(partition, first + n, json.dumps(event).encode(), "2026-05-04T12:00:01.000Z")
        for n, event in enumerate(events)
    ]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / EVENTS).read_bytes().splitlines()]


def event(number: int, kind: str = "view", photo: Photo = PHOTOS[0], minute: int = 0, batch: str = "one") -> CatEvent:
    return CatEvent(
        event_id=f"{batch}/{number}",
        batch=batch,
        sequence=number,
        event=kind,
        photo_id=photo["id"],
        url=photo["url"],
        breeds=photo["breeds"],
        viewer="viewer-1",
        time=iso(NOW + timedelta(minutes=minute)),
    )


def test_simulation_is_a_function_of_seed_batch_and_photos() -> None:
    events = simulate(PHOTOS, 7, "run", NOW)
    assert events == simulate(PHOTOS[::-1], 7, "run", NOW)
    assert events != simulate(PHOTOS, 8, "run", NOW)
    assert events != simulate(PHOTOS, 7, "next run", NOW)
    assert [one["sequence"] for one in events] == list(range(1, len(events) + 1))
    assert {one["photo_id"] for one in events} == {"a", "b", "c"}
    times = [one["time"] for one in events]
    assert times == sorted(times)
    assert iso(NOW - timedelta(minutes=5)) <= times[0] <= times[-1] <= iso(NOW)


def test_nobody_likes_what_they_have_not_viewed() -> None:
    total: Counter[str] = Counter()
    for seed in range(50):
        viewed: set[tuple[str, str]] = set()
        liked: set[tuple[str, str]] = set()
        for one in simulate(PHOTOS, seed, "run", NOW):
            total[one["event"]] += 1
            visit = (one["photo_id"], one["viewer"])
            if one["event"] == "view":
                assert visit not in viewed
                viewed.add(visit)
            else:
                assert visit in viewed
                assert visit not in liked
                liked.add(visit)
    assert 0.15 < total["like"] / total["view"] < 0.35


def test_analytics_are_right_by_hand(tmp_path: Path) -> None:
    a, b, c = PHOTOS
    sent = [
        event(1, "view", a, 0),
        event(2, "view", b, 1),
        event(3, "like", b, 2),
        event(4, "view", b, 3),
        event(5, "view", c, 4),
    ]
    with open_store(tmp_path) as store:
        assert store.append(records(sent)) == 5
        store.save_analytics()
    found = load_analytics(tmp_path)
    assert found is not None
    minute = [iso(NOW + timedelta(minutes=n)) for n in range(5)]
    assert found["photos"]["b"] == {
        "url": "https://cats/b.jpg",
        "breeds": ["Bengal", "Siamese"],
        "views": 2,
        "likes": 1,
        "like_rate": 0.5,
        "first_seen": minute[1],
        "last_seen": minute[3],
    }
    assert found["breeds"] == {
        "Bengal": {"views": 3, "likes": 1, "like_rate": 0.3333, "first_seen": minute[0], "last_seen": minute[3]},
        "Siamese": {"views": 2, "likes": 1, "like_rate": 0.5, "first_seen": minute[1], "last_seen": minute[3]},
        "unknown": {"views": 1, "likes": 0, "like_rate": 0.0, "first_seen": minute[4], "last_seen": minute[4]},
    }
    assert load_totals(tmp_path) == {"events": 5, "photos": 3, "breeds": 3, "views": 4, "likes": 1}
    assert [row["photo"] for row in rows_of(found, By.PHOTO)] == ["b", "a", "c"]
    assert [row["breed"] for row in rows_of(found, By.BREED)] == ["Bengal", "Siamese", "unknown"]


def test_a_cut_at_any_byte_is_repaired_and_nothing_is_twice(tmp_path: Path) -> None:
    sent = [event(n) for n in range(1, 7)]
    with open_store(tmp_path / "whole") as store:
        store.append(records(sent))
    whole = (tmp_path / "whole" / EVENTS).read_bytes()
    for cut in range(0, len(whole) + 1, 13):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / EVENTS).write_bytes(whole[:cut])
        with open_store(folder) as store:
            assert (folder / EVENTS).stat().st_size == whole[:cut].rfind(b"\n") + 1
            store.append(records(sent[:4]))
            store.append(records(sent))
        assert (folder / EVENTS).read_bytes() == whole


@pytest.mark.parametrize("analytics", ["stale", "missing", "torn", "ahead"])
def test_analytics_come_back_from_the_events(tmp_path: Path, analytics: str) -> None:
    sent = simulate(PHOTOS, 1, "run", NOW)
    with open_store(tmp_path) as store:
        store.append(records(sent[:5]))
        store.save_analytics()
        store.append(records(sent[5:], first=5))
        if analytics != "stale":
            store.save_analytics()
    path = tmp_path / ANALYTICS
    if analytics == "missing":
        path.unlink()
    elif analytics == "torn":
        path.write_bytes(path.read_bytes()[:100])
    elif analytics == "ahead":
        saved = json.loads(path.read_bytes())
        saved["state"]["file_bytes"] += 1
        path.write_text(json.dumps(saved))
    with open_store(tmp_path) as store:
        assert store.append(records(sent)) == 0
        assert store.append(records([event(1)], first=len(sent))) == 1
        store.save_analytics()
    sent.append(event(1))
    assert load_totals(tmp_path)["events"] == len(sent)
    assert load_totals(tmp_path)["views"] == sum(one["event"] == "view" for one in sent)


def test_a_batch_that_is_sent_again_is_stored_once(tmp_path: Path) -> None:
    first, again = [event(n) for n in range(1, 4)], [event(n) for n in range(1, 6)]
    other = [event(n, batch="two") for n in range(1, 3)]
    with open_store(tmp_path) as store:
        store.append(records(first))
        store.append(records(other, first=3))
        store.append(records(again, first=5))
    with open_store(tmp_path) as store:
        assert store.append(records(again, first=10)) == 0
    assert [line["event_id"] for line in lines(tmp_path)] == [
        "one/1",
        "one/2",
        "one/3",
        "two/1",
        "two/2",
        "one/4",
        "one/5",
    ]


def test_what_is_no_event_is_kept_apart_and_stops_nothing(tmp_path: Path) -> None:
    bad = [Record(0, 0, b"\xff{", "t"), Record(0, 1, b"[1]", "t"), Record(0, 2, b'{"event":"purr"}', "t")]
    with open_store(tmp_path) as store:
        store.append([*bad, *records([event(1)], first=3)])
        assert store.append(bad) == 0
        store.save_analytics()
    found = load_analytics(tmp_path)
    assert found is not None
    assert (found["events"], found["rejected"]) == (1, 3)
    assert [line.get("rejected", "")[:7] for line in lines(tmp_path)] == ["no JSON", "no JSON", "missing", ""]
    assert lines(tmp_path)[0]["original"] == "\\xff{"


def test_parse_keeps_what_belongs_to_an_event() -> None:
    given = {**event(1), "more": 1}
    parsed, reason = parse(json.dumps(given).encode())
    assert parsed == event(1)
    assert reason == ""
    given["breeds"] = "Bengal"
    assert parse(json.dumps(given).encode()) == (None, "missing or wrong: breeds")


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    with open_store(tmp_path), pytest.raises(ClicktrailError, match="Another cat photo consumer"), open_store(tmp_path):
        pass


def test_a_line_that_is_no_event_is_said(tmp_path: Path) -> None:
    (tmp_path / EVENTS).write_text("hello\n")
    with pytest.raises(ClicktrailError, match="at byte 0 that is no event"), open_store(tmp_path):
        pass
