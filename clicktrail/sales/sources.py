"""Reads one day from the sources that the settings name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from clicktrail.errors import ClicktrailError
from clicktrail.sales.records import RawLine, Source

log = logging.getLogger(__name__)

Read = Callable[[date], Iterable[RawLine]]


@dataclass(frozen=True)
class Extracted:
    """All lines of a day, in the order of the sources, and how many each gave."""

    lines: list[RawLine]
    counts: dict[str, int]


def names(text: str) -> list[Source]:
    """The sources of the setting ``sales_sources``, in their order of trust.

    Raises:
        ClicktrailError: it names none, or one that there is not.
    """
    given = {part.strip() for part in text.split(",") if part.strip()}
    unknown = given - set(Source)
    if unknown or not given:
        raise ClicktrailError(f"CLICKTRAIL_SALES_SOURCES must name some of {', '.join(Source)}, not {text!r}")
    return [source for source in Source if source in given]


def extract(day: date, readers: Mapping[Source, Read]) -> Extracted:
    """Read the day from every source; a source that cannot be read fails the whole: half a day is no day."""
    lines: list[RawLine] = []
    counts: dict[str, int] = {}
    for source, read in readers.items():
        read_here = list(read(day))
        counts[source.value] = len(read_here)
        lines += read_here
        log.info("%s: %d lines for %s", source.value, len(read_here), day)
    return Extracted(lines, counts)
