"""What a share of a micro-batch tells the driver."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from clicktrail.job.page_calls import PageMinute, Views


class Tally(NamedTuple):
    """Figures of a source partition and reason (``None``: the events); offsets are inclusive."""

    source_partition: int
    reason: str | None
    records: int
    first_offset: int
    last_offset: int
    late: int = 0
    repeats: int = 0


@dataclass
class Report:
    """What is left to the driver: the ledger, and pages, since many visitors see the same."""

    tallies: list[Tally] = field(default_factory=list)
    views: dict[PageMinute, Views] = field(default_factory=dict)
    """Page calls that are new. No visitor is in two shares."""
    gone: dict[PageMinute, list[str]] = field(default_factory=dict)
    """Calls that are of another page now (``page_calls.gone``)."""
    uncertain: set[PageMinute] = field(default_factory=set)
    """Minutes of page calls that are stored, but of which a crash may have cut off the count."""
    held: int = 0
    """Events that have to wait until the calls are gone: what they replace says where they were."""

    @property
    def pages(self) -> set[PageMinute]:
        """All minutes of pages that are touched."""
        return self.views.keys() | self.gone.keys() | self.uncertain

    def packed(self) -> bytes:
        """For :meth:`together`."""
        return pickle.dumps(self)

    @classmethod
    def together(cls, packed: Iterable[bytes]) -> Report:
        """One report out of those of all shares of a batch."""
        whole = cls()
        for one in packed:
            share: Report = pickle.loads(one)
            whole.tallies += share.tallies
            whole.held += share.held
            whole.uncertain |= share.uncertain
            for page, views in share.views.items():
                known = whole.views.get(page)
                whole.views[page] = known + views if known else views
            for page, calls in share.gone.items():
                whole.gone.setdefault(page, []).extend(calls)
        return whole
