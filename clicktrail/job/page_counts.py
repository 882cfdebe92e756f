"""Page calls, counted: what was read of a minute is kept, so that a later batch reads only what has come since.

An always-on job comes back to the same minute with each batch. Read whole each time, at 3,000 events a second that were
five megabytes a batch, and four times as much at twice the rate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence

from clicktrail.job import page_calls
from clicktrail.job.derive.cql import Cql
from clicktrail.job.page_calls import BOT, GONE, NEVER, PageMinute, Views, parted, visitor_of

_MOST = 300_000
"""Calls that are kept, at most: some 80 MB."""


class Minute:
    """The calls of a page's minute, each as it was written last."""

    def __init__(self) -> None:
        """None yet."""
        self.upto = NEVER
        """All rows up to this ``chunk`` are in."""
        self._last: dict[str, str] = {}
        """Who and which, by when and as what."""
        self._visitors: Counter[str] = Counter()
        self._bots = 0

    def add(self, rows: Iterable[str]) -> None:
        """Add rows, in any order; a call that stands in several is one."""
        last = self._last
        for row in rows:
            for call in row.split(","):
                which, written = parted(call)
                before = last.get(which)
                if before is None or before < written:
                    last[which] = written
                    if before is not None:
                        self._count(which, before, -1)
                    self._count(which, written, 1)

    def _count(self, which: str, written: str, by: int) -> None:
        letter = written[-1]
        if letter == GONE:
            return
        visitor = visitor_of(which)
        self._visitors[visitor] += by
        if not self._visitors[visitor]:
            del self._visitors[visitor]
        self._bots += by * (letter == BOT)

    def __len__(self) -> int:
        """How many calls are held."""
        return len(self._last)

    @property
    def views(self) -> Views:
        """What they come to, without those that are gone."""
        return Views(self._visitors.total(), self._bots, len(self._visitors))


class Counts:
    """Counts minutes for one driver, which alone lets rows be written as long as it has the lease."""

    def __init__(self, cql: Cql, most: int = _MOST) -> None:
        """Nothing is read yet; ``most``: calls to keep."""
        self._cql = cql
        self._most = most
        self._minutes: dict[PageMinute, Minute] = {}
        """Those used last come last."""
        self._held = 0
        """Calls in them."""

    def read(
        self, pages: Sequence[PageMinute], chunk: int, whole: Container[PageMinute] = ()
    ) -> dict[PageMinute, Views]:
        """The calls of each page's minute, counted; a minute without any is left out.

        Args:
            pages: the minutes.
            chunk: of the last rows that were written; no later row may have it, or an earlier one.
            whole: minutes whose rows are all read anew, because of what a batch that was cut off may have written.
        """
        known = {page: self._taken(page) for page in pages if page in self._minutes}
        asked = [(page, known[page].upto if page in known and page not in whole else NEVER) for page in pages]
        counted: dict[PageMinute, Views] = {}
        for (page, since), rows in zip(asked, page_calls.read(self._cql, asked), strict=True):
            minute = Minute() if since == NEVER else known.pop(page)
            minute.add(rows)
            minute.upto = chunk
            self._keep(page, minute)
            views = minute.views
            if views.views:
                counted[page] = views
        return counted

    def _taken(self, page: PageMinute) -> Minute:
        minute = self._minutes.pop(page)
        self._held -= len(minute)
        return minute

    def _keep(self, page: PageMinute, minute: Minute) -> None:
        self._minutes[page] = minute
        self._held += len(minute)
        while self._held > self._most:
            self._taken(next(iter(self._minutes)))
