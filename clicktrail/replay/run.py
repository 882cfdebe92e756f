"""Replays a file: its lines become events, which are sent; a line that cannot be read is counted and shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import orjson
from kafka.errors import MessageSizeTooLargeError

from clicktrail.errors import ClicktrailError
from clicktrail.replay.combined_log import DEFAULT_SITE, log_format
from clicktrail.replay.csv_file import csv_format, parse_mapping
from clicktrail.replay.lines import Format, Replayed, Unreadable, digest, iso, opened, to_milliseconds
from clicktrail.replay.otto import FORMAT as OTTO
from clicktrail.replay.pace import Pace
from clicktrail.replay.segment import FORMAT as SEGMENT

FORMATS = ("segment", "combined-log", "csv", "otto")
_SHOWN = 5
_ID_DIGITS = 32


class Sends(Protocol):
    """Takes messages: a Sender, or a list's wrapper in a test."""

    def send(self, key: bytes | None, value: bytes | None) -> None:
        """Take one message."""


@dataclass
class Summary:
    """What a replay did.

    Attributes:
        file: its path.
        lines: how many were read; empty ones do not count.
        events: how many were sent.
        unreadable: lines that became no event.
        shown: of those the first few: line number and reason.
        first: moment of the earliest event sent, ms since 1970.
        last: moment of the latest.
        seconds: how long it took.
    """

    file: str
    lines: int = 0
    events: int = 0
    unreadable: int = 0
    shown: list[tuple[int, str]] = field(default_factory=list)
    first: int | None = None
    last: int | None = None
    seconds: float = 0.0

    def count(self, replayed: Replayed) -> None:
        """Count an event that was sent."""
        self.events += 1
        if replayed.moment is not None:
            self.first = replayed.moment if self.first is None else min(self.first, replayed.moment)
            self.last = replayed.moment if self.last is None else max(self.last, replayed.moment)

    def reject(self, number: int, reason: str) -> None:
        """Count a line that cannot be read."""
        self.unreadable += 1
        if len(self.shown) < _SHOWN:
            self.shown.append((number, reason))


def find_format(name: str, site: str = DEFAULT_SITE, mapping: list[str] | None = None) -> Format:
    """The format of this name, with ``-`` or ``_``.

    Args:
        name: one of FORMATS.
        site: whose log it is, for a combined log.
        mapping: ``field=column`` pairs, for CSV.

    Raises:
        ClicktrailError: there is no such format, or the mapping is wrong.
    """
    name = name.replace("_", "-")
    if mapping and name != "csv":
        raise ClicktrailError(f"--map is for --format csv, not for {name}")
    if name == "segment":
        return SEGMENT
    if name == "combined-log":
        return log_format(site)
    if name == "csv":
        return csv_format(parse_mapping(mapping or []))
    if name == "otto":
        return OTTO
    raise ClicktrailError(f"There is no format {name!r}; there are {', '.join(FORMATS)}")


def events_of(path: Path, form: Format, prefix: str, summary: Summary) -> Iterator[tuple[int, Replayed]]:
    """All events of a file with their line numbers; what cannot be read is counted in ``summary``."""
    with opened(path) as file:
        for line in form.records(file):
            summary.lines += 1
            try:
                replayed = list(form.parse(line, prefix))
            except Unreadable as error:
                summary.reject(line.number, str(error))
                continue
            for event in replayed:
                yield line.number, event


def survey(path: Path, form: Format) -> tuple[int, int | None]:
    """How many events a file has, and the moment of its latest."""
    number, last = 0, None
    for _, replayed in events_of(path, form, "", Summary(str(path))):
        number += 1
        if replayed.moment is not None:
            last = replayed.moment if last is None else max(last, replayed.moment)
    return number, last


def shifted(replayed: Replayed, by: int) -> Replayed:
    """The same event, ``by`` milliseconds later."""
    if not by or replayed.moment is None:
        return replayed
    event: dict[str, Any] = replayed.event | {"timestamp": iso(replayed.moment + by)}
    if "sentAt" in event:
        try:
            event["sentAt"] = iso(to_milliseconds(event["sentAt"]) + by)
        except Unreadable:
            del event["sentAt"]
    return Replayed(replayed.moment + by, replayed.key, event)


def replay(
    path: Path,
    form: Format,
    target: Sends,
    pace: Pace,
    now: datetime | None = None,
    last: int | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Summary:
    """Send all events of a file.

    Args:
        path: the file, plain or gzip.
        form: how it is read.
        target: what takes the messages.
        pace: when each is due.
        now: shifts all times so that the last event is at this moment; None leaves them as they are.
        last: moment of the file's latest event (see ``survey``); needed for ``now`` alone.
        tick: called after each event.
    """
    began = time.monotonic()
    summary = Summary(str(path))
    by = 0
    if now is not None and last is not None:
        by = int(now.astimezone(UTC).timestamp() * 1000) - last
    for number, original in events_of(path, form, digest(path)[:_ID_DIGITS], summary):
        replayed = shifted(original, by)
        pace.wait_for(replayed.moment)
        try:
            target.send(replayed.key, replayed.original or orjson.dumps(replayed.event))
        except MessageSizeTooLargeError as error:
            summary.reject(number, f"too large for Kafka: {error}")
            continue
        summary.count(replayed)
        tick()
    summary.seconds = round(time.monotonic() - began, 3)
    return summary
