"""Files of lines: opening them, plain or gzip, and the ids and errors that every format shares."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, NamedTuple

from clicktrail.errors import ClicktrailError

_GZIP = b"\x1f\x8b"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_SECONDS_END = 100_000_000_000
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class Unreadable(ValueError):
    """A line that cannot become an event; the message says why."""


class Replayed(NamedTuple):
    """One event that a line became."""

    moment: int | None
    """When it happened, ms since 1970; None where the line does not say it."""
    key: bytes | None
    event: dict[str, Any]
    original: bytes | None = None
    """The bytes that it is sent as, as long as its times stay as they are; None: what ``event`` says."""


class Line(NamedTuple):
    """One record of a file: of most formats a line of text."""

    number: int
    content: Any


Parser = Callable[[Line, str], Iterable[Replayed]]
"""Makes events of a line; the second argument is what their ids begin with. Raises Unreadable."""


@dataclass(frozen=True)
class Format:
    """How one kind of file is read.

    Attributes:
        name: what people call it.
        records: takes the open file and gives its lines, or None where it cannot be read at all.
        parse: makes events of one of them.
    """

    name: str
    parse: Parser
    records: Callable[[IO[bytes]], Iterator[Line]]


def text_lines(file: IO[bytes]) -> Iterator[Line]:
    """All lines that hold something, numbered from 1."""
    for number, line in enumerate(file, start=1):
        if content := line.strip():
            yield Line(number, content)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's content, unpacked where it is gzip.

    Raises:
        ClicktrailError: it cannot be read.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            if packed:
                with gzip.open(raw) as file:
                    yield io.BufferedReader(file)
            else:
                yield raw
    except (OSError, EOFError, zlib.error) as error:
        raise ClicktrailError(f"Cannot read {path}: {error}") from error


def digest(path: Path) -> str:
    """SHA-256 of the file's content: the same for a file and its gzip."""
    with opened(path) as file:
        sums = hashlib.sha256()
        while block := file.read(1 << 20):
            sums.update(block)
    return sums.hexdigest()


def message_id(prefix: str, number: int, event: int | None = None) -> str:
    """An id that the same line of the same file always has."""
    return f"{prefix}-{number}" if event is None else f"{prefix}-{number}-{event}"


def visitor_key(event: dict[str, Any]) -> bytes | None:
    """The Kafka key: ``userId``, else ``anonymousId``."""
    for name in ("userId", "anonymousId"):
        visitor = event.get(name)
        if isinstance(visitor, str) and visitor:
            return visitor.encode()
    return None


def to_milliseconds(value: object) -> int:
    """A time as people write it: ISO 8601 (without a zone: UTC), or seconds or milliseconds since 1970.

    Raises:
        Unreadable: none of them.
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return round(value * 1000) if abs(value) < _SECONDS_END else round(value)
    try:
        moment = datetime.fromisoformat(str(value).strip())
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        raise Unreadable(f"{str(value)[:60]!r} is no time (ISO 8601, or seconds or milliseconds since 1970)") from None


def iso(moment: int) -> str:
    """Milliseconds since 1970 as ISO 8601.

    Raises:
        Unreadable: no calendar has it.
    """
    try:
        return (_EPOCH + moment * _MILLISECOND).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment % 1000:03d}Z"
    except OverflowError:
        raise Unreadable(f"{moment} ms since 1970 is no moment of the calendar") from None
