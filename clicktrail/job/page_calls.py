"""Page calls as ``page_calls`` keeps them: many in a row, since a row a call would double the work of the store.

A row holds the calls of a page's minute that one share of a batch brought, with commas between them. A call is 51
characters: 16 hexadecimal digits of who called, 16 of which event it is (BLAKE2b of the visitor, of visitor, time and
id), a letter (``p`` a person, ``b`` a crawler, ``x`` gone), and 18 digits of the event's write time. The same call may
stand in several rows, after a crash for one: the latest letter counts. Among a million calls of one page in one minute
two hashes are the same with a probability of three in a hundred million.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

from clicktrail.job.derive.cql import Cql, Write, chunks, insert
from clicktrail.job.times import MILLISECONDS_A_DAY

TABLE = "page_calls"
_MINUTE = 60_000
_HOUR = 3_600_000
_COLUMNS = ("site", "page_path", "hour", "minute", "chunk", "part", "calls")
_READ = f"SELECT calls FROM {TABLE} WHERE site = ? AND page_path = ? AND hour = ? AND minute = ? AND chunk > ?"
_CALLS_A_ROW = 5_000
"""Bounds a row: a quarter of a megabyte."""
DRIVER = 999_999
"""Stands for the driver where a share has its number, which is lower (:func:`part`)."""
PERSON, BOT, GONE = "p", "b", "x"
NEVER = -1
"""Before any ``chunk``."""


class PageMinute(NamedTuple):
    """A minute of a page; ``minute`` in milliseconds since 1970."""

    site: str
    page_path: str
    minute: int

    @property
    def day(self) -> int:
        """Days since 1970."""
        return self.minute // MILLISECONDS_A_DAY

    @property
    def hour(self) -> int:
        """The beginning of its hour, milliseconds since 1970."""
        return self.minute - self.minute % _HOUR


class Views(NamedTuple):
    """How often a page was seen in a minute."""

    views: int
    bot_views: int
    visitors: int

    def __add__(self, other: tuple[int, ...]) -> Views:  # type: ignore[override]
        """Of both, where no visitor is in both."""
        return Views(*map(sum, zip(self, other, strict=True)))


def minute_of(site: str, page_path: str, time: int) -> PageMinute:
    """The page's minute that a moment (milliseconds since 1970) is in."""
    return PageMinute(site, page_path, time - time % _MINUTE)


def visitor_digits(user_id: str) -> str:
    """Who called, in 16 hexadecimal digits."""
    return _digits(user_id)


def call(visitor: str, user_id: str, time: int, event_id: str, write_time: int, *, is_bot: bool) -> str:
    """A call; ``visitor`` are the digits of the ``user_id``."""
    return f"{visitor}{_digits(f'{user_id} {time} {event_id}')}{BOT if is_bot else PERSON}{write_time:018d}"


def gone(user_id: str, time: int, event_id: str, write_time: int) -> str:
    """That a call, as it was written at ``write_time``, is none of this page any more."""
    return f"{_digits(user_id)}{_digits(f'{user_id} {time} {event_id}')}{GONE}{write_time:018d}"


def _digits(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


def writes(calls: Mapping[PageMinute, Sequence[str]], chunk: int, share: int) -> Iterator[Write]:
    """Calls as rows; ``chunk`` is their write time, and a number that no other batch has; of ``share`` see ``part``."""
    statement = insert(TABLE, _COLUMNS)
    for page, packed in calls.items():
        hour = page.hour
        for number, some in enumerate(chunks(packed, _CALLS_A_ROW)):
            row = (page.site, page.page_path, hour, page.minute, chunk, part(share, number), ",".join(some), chunk)
            yield Write((TABLE, page.site, page.page_path, hour), statement, row)


def part(share: int, number: int) -> int:
    """What tells a row of a share from all others of the batch.

    Args:
        share: its number, below ``DRIVER``, or that. A share that is tried again has another one: rows of two attempts
            hold different things, and were they the same row, written at the same time, either might be lost.
        number: of the row in its share.
    """
    return number * (DRIVER + 1) + share


def missing(cql: Cql, calls: Mapping[PageMinute, Sequence[str]]) -> dict[PageMinute, list[str]]:
    """The calls that no row has as what they are, or as something else that was written later."""
    there = _there(cql, calls)
    absent = {page: [call for call in some if _is_missing(call, there[page])] for page, some in calls.items()}
    return {page: some for page, some in absent.items() if some}


def _is_missing(call: str, there: Mapping[str, str]) -> bool:
    which, written = parted(call)
    last = there.get(which)
    return last is None or (last[-1] != written[-1] and last < written)


def still_there(cql: Cql, gone: Mapping[PageMinute, Sequence[str]]) -> dict[PageMinute, list[str]]:
    """Of entries that take calls away (:func:`gone`) those whose call is there, and not written later."""
    there = _there(cql, gone)
    needed = {page: [one for one in some if _is_there(one, there[page])] for page, some in gone.items()}
    return {page: some for page, some in needed.items() if some}


def _is_there(entry: str, there: Mapping[str, str]) -> bool:
    which, written = parted(entry)
    last = there.get(which, GONE)
    return last[-1] != GONE and last < written


def _there(cql: Cql, pages: Mapping[PageMinute, object]) -> dict[PageMinute, dict[str, str]]:
    """The calls of each page's minute, as they were written last."""
    found = read(cql, [(page, NEVER) for page in pages])
    return {page: _last(rows) for page, rows in zip(pages, found, strict=True)}


def read(cql: Cql, pages: Iterable[tuple[PageMinute, int]]) -> list[list[str]]:
    """The rows of each page's minute whose ``chunk`` is later than the one that is given with it."""
    keys = [(page.site, page.page_path, page.hour, page.minute, since) for page, since in pages]
    return [[text for (text,) in rows] for rows in cql.read(_READ, keys)]


def parted(call: str) -> tuple[str, str]:
    """Who and which, and what grows with each write of the call: when, and as what.

    Of the same time "x" is the last: what was taken away at a write time was written with it.
    """
    return call[:32], call[33:] + call[32]


def visitor_of(which: str) -> str:
    """Who called (:func:`visitor_digits`), by what :func:`parted` gives."""
    return which[:16]


def _last(rows: Iterable[str]) -> dict[str, str]:
    """The calls that stand in rows, each as it was written last (:func:`parted`)."""
    last: dict[str, str] = {}
    for row in rows:
        for which, written in map(parted, row.split(",")):
            if last.get(which, "") < written:
                last[which] = written
    return last
