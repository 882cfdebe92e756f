"""Incidents: an alert when one begins, an all-clear when it is over, each told once.

The state is one file, for it must work while every server is away. It is replaced atomically under a lock. A notice
leaves the outbox when its channel has taken it: what a crash or a dead mail server held back is told by the next run.
"""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

from clicktrail.cats.store import write_atomically
from clicktrail.errors import ClicktrailError
from clicktrail.health.checks import BAD, OK, Finding

logger = logging.getLogger(__name__)

STATE = "incidents.json"
ALERT, OVER = "alert", "over"


class Notice(TypedDict):
    """What is told: an incident began (``alert``) or ended (``over``)."""

    kind: str
    key: str
    text: str
    at: str
    since: str


Channel = Callable[[Notice], None]
"""Tells one notice to somebody; raises DeliveryError where it cannot."""


class DeliveryError(ClicktrailError):
    """A notice could not be told."""


def transitions(incidents: Mapping[str, Notice], findings: Iterable[Finding], now: datetime) -> list[Notice]:
    """What has changed: a notice for each finding that turned bad, or ok again. Unknown changes nothing."""
    at = now.isoformat(timespec="seconds")
    notices = []
    for finding in findings:
        key, known = finding["key"], incidents.get(finding["key"])
        if finding["state"] == BAD and known is None:
            notices.append(Notice(kind=ALERT, key=key, text=finding["text"], at=at, since=at))
        elif finding["state"] == OK and known is not None:
            notices.append(Notice(kind=OVER, key=key, text=finding["text"], at=at, since=known["since"]))
    return notices


def announce(folder: Path, findings: Iterable[Finding], channels: Mapping[str, Channel], now: datetime) -> list[Notice]:
    """Tell what has changed since the last time, by every channel.

    Args:
        folder: where the state is kept.
        findings: of all checks.
        channels: by name; the name is kept until the channel has taken a notice.
        now: the time.

    Returns:
        The new notices.

    Raises:
        DeliveryError: a channel took none of its notices; they are tried again the next time.
    """
    with _locked(folder):
        state = _load(folder / STATE)
        notices = transitions(state["incidents"], findings, now)
        for notice in notices:
            if notice["kind"] == ALERT:
                state["incidents"][notice["key"]] = notice
            else:
                del state["incidents"][notice["key"]]
            state["outbox"].append({"notice": notice, "channels": list(channels)})
        _save(folder / STATE, state)
        _deliver(folder / STATE, state, channels)
    return notices


def _deliver(path: Path, state: dict[str, Any], channels: Mapping[str, Channel]) -> None:
    failed: dict[str, str] = {}
    for entry in list(state["outbox"]):
        for name in list(entry["channels"]):
            if name in failed:
                continue
            try:
                if name in channels:
                    channels[name](entry["notice"])
                else:
                    logger.warning("channel %s is no longer configured; dropped: %s", name, entry["notice"])
            except DeliveryError as error:
                failed[name] = str(error)
                continue
            entry["channels"].remove(name)
            _save(path, state)
    if failed:
        raise DeliveryError("; ".join(f"{name}: {reason}" for name, reason in failed.items()))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _load(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_bytes())
        return {"incidents": dict(state["incidents"]), "outbox": list(state["outbox"])}
    except FileNotFoundError:
        return {"incidents": {}, "outbox": []}
    except (ValueError, KeyError, TypeError) as error:
        raise ClicktrailError(
            f"{path} cannot be read ({error}). Delete it: open incidents are then told again."
        ) from error


def _save(path: Path, state: dict[str, Any]) -> None:
    state["outbox"] = [entry for entry in state["outbox"] if entry["channels"]]
    write_atomically(path, json.dumps(state, ensure_ascii=False, indent=1))
