"""The event file and the analytics beside it: each event once, whenever the writer is killed.

``cat_photo_events.jsonl`` has one event a line, each with the partition and offset it came from. Lines are appended,
made durable, and only then is the offset committed to Kafka. At the start a torn last line is cut off, and what the
file has already is not taken again. ``cat_photo_analytics.json`` is replaced as a whole; it says how much of the file
it covers, so a start reads only the rest. Where it is missing or does not fit, all of the file is read.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from clicktrail.cats.analytics import Tally
from clicktrail.cats.simulate import iso
from clicktrail.errors import ClicktrailError

logger = logging.getLogger(__name__)

EVENTS = "cat_photo_events.jsonl"
ANALYTICS = "cat_photo_analytics.json"


class FolderBusyError(ClicktrailError):
    """Another process is the folder's writer."""


@dataclass(frozen=True)
class Record:
    """One message as Kafka gave it."""

    partition: int
    offset: int
    value: bytes
    broker_time: str


class EventStore:
    """The one writer of a folder. Use it as a context manager."""

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        self.folder = folder
        self.tally = Tally()
        self._clock = clock
        self._file: Any = None
        self._lock: Any = None

    def __enter__(self) -> EventStore:
        """Lock the folder, repair the file's end and read what is there.

        Raises:
            FolderBusyError: another consumer writes into this folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise FolderBusyError(
                f"Another cat photo consumer writes into {self.folder}. Stop it, or name another folder with --folder."
            ) from error
        self._file = (self.folder / EVENTS).open("a+b")
        _sync_folder(self.folder)
        self.tally = _saved_tally(self.folder / ANALYTICS, self._size())
        _read_on(self._file, self.tally)
        if self.tally.file_bytes < self._size():
            torn = self._size() - self.tally.file_bytes
            logger.warning("%s ended in the middle of a line: %d bytes were cut off", self._file.name, torn)
            self._file.truncate(self.tally.file_bytes)
            os.fsync(self._file.fileno())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file and give the folder free."""
        self._file.close()
        self._lock.close()

    def append(self, records: Sequence[Record]) -> int:
        """Write what the file does not have yet, durably.

        Returns:
            How many lines were written.
        """
        first = self.tally.file_bytes
        lines = []
        for record in records:
            line = self._line(record)
            if line is None:
                continue
            data = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            self.tally.add(line, len(data))
            lines.append(data)
        if lines:
            self._file.write(b"".join(lines))
            self._file.flush()
            os.fsync(self._file.fileno())
            if self._size() != self.tally.file_bytes:
                raise ClicktrailError(
                    f"{self._file.name} was changed by somebody else while it was written "
                    f"({self._size() - first} bytes came, not {self.tally.file_bytes - first}). Start again."
                )
        return len(lines)

    def save_analytics(self) -> Path:
        """Replace the analytics by what the file says now, atomically."""
        path = self.folder / ANALYTICS
        write_atomically(path, json.dumps(self.tally.to_json(iso(self._clock())), ensure_ascii=False, indent=1))
        return path

    def _line(self, record: Record) -> dict[str, Any] | None:
        if self.tally.knows_offset(record.partition, record.offset):
            return None
        place = {"partition": record.partition, "offset": record.offset, "broker_time": record.broker_time}
        event, reason = parse(record.value)
        if event is None:
            logger.warning("partition %d, offset %d is no cat photo event: %s", record.partition, record.offset, reason)
            return {**place, "rejected": reason, "original": record.value.decode("utf-8", "backslashreplace")}
        if self.tally.is_repeat(record.partition, event):
            self.tally.repeats += 1
            return None
        return {**place, **event}

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size


_TEXTS = ("event_id", "batch", "photo_id", "url", "viewer", "time")


def parse(value: bytes) -> tuple[dict[str, Any] | None, str]:
    """The event in a message, or None and the reason why there is none."""
    try:
        event = json.loads(value)
    except ValueError as error:
        return None, f"no JSON: {error}"
    if not isinstance(event, dict):
        return None, "no JSON object"
    wrong = [name for name in _TEXTS if not isinstance(event.get(name), str) or not event[name]]
    if event.get("event") not in {"view", "like"}:
        wrong.append("event")
    if not isinstance(event.get("sequence"), int):
        wrong.append("sequence")
    if not isinstance(event.get("breeds"), list) or not all(isinstance(name, str) for name in event["breeds"]):
        wrong.append("breeds")
    if wrong:
        return None, f"missing or wrong: {', '.join(wrong)}"
    return {name: event[name] for name in (*_TEXTS, "event", "sequence", "breeds")}, ""


def load_analytics(folder: Path) -> dict[str, Any] | None:
    """The analytics of ``folder``, or None where there are none yet."""
    try:
        loaded = json.loads((folder / ANALYTICS).read_bytes())
    except FileNotFoundError:
        return None
    return loaded if isinstance(loaded, dict) else None


def load_totals(folder: Path) -> dict[str, int]:
    """What the analytics of ``folder`` add up to.

    Raises:
        ClicktrailError: there are none.
    """
    found = load_analytics(folder)
    if found is None:
        raise ClicktrailError(f"{folder / ANALYTICS} is missing: no consumer has written into {folder} yet")
    photos = found["photos"].values()
    totals = {name: sum(photo[name] for photo in photos) for name in ("views", "likes")}
    return {"events": found["events"], "photos": len(found["photos"]), "breeds": len(found["breeds"]), **totals}


def write_atomically(path: Path, text: str) -> None:
    """Replace ``path`` by ``text``: a reader sees the old or the new content, also after a power cut."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _saved_tally(path: Path, file_size: int) -> Tally:
    try:
        tally = Tally.from_json(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Tally()
    except (ValueError, KeyError, TypeError) as error:
        logger.warning("%s cannot be read (%s): it is computed again from the events", path, error)
        return Tally()
    if tally.file_bytes > file_size:
        logger.warning("%s covers more than the event file has: it is computed again from the events", path)
        return Tally()
    return tally


def _read_on(file: Any, tally: Tally) -> None:
    """Take every whole line behind ``tally.file_bytes``; stops before a torn one."""
    file.seek(tally.file_bytes)
    for data in file:
        if not data.endswith(b"\n"):
            return
        try:
            line = json.loads(data)
            tally.add(line, len(data))
        except (ValueError, KeyError, TypeError) as error:
            raise ClicktrailError(
                f"{file.name} has a line at byte {tally.file_bytes} that is no event ({error}). "
                "Move the file away: the consumer then fills a new one from the topic with --from-beginning."
            ) from error
