"""The window: which offsets of the source topic one run of the workflow answers for.

A window reaches, in each partition, from where the last green run's audit ended to the end of the topic at the moment
it was pinned. It is kept by run id, so that a cleared task answers for the same offsets as the first time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clicktrail.errors import ClicktrailError


class WorkflowError(ClicktrailError):
    """A task of the workflow cannot be green; the sentence says why."""


class NothingNewError(WorkflowError):
    """No offset was added since the last audited one."""


@dataclass(frozen=True, order=True)
class Span:
    """Offsets ``first`` up to, not including, ``end`` of one partition."""

    partition: int
    first: int
    end: int

    @property
    def size(self) -> int:
        """How many offsets it holds."""
        return self.end - self.first

    def __str__(self) -> str:
        """For people: the last offset is named, not the one behind it."""
        return f"partition {self.partition} offsets {self.first} to {self.end - 1}"


@dataclass(frozen=True)
class Window:
    """The offsets of ``topic`` that a run answers for; empty spans are left out."""

    topic: str
    spans: tuple[Span, ...]

    @property
    def size(self) -> int:
        """How many offsets it holds."""
        return sum(span.size for span in self.spans)

    def ends(self) -> dict[int, int]:
        """The next offset of each partition behind the window."""
        return {span.partition: span.end for span in self.spans}

    def to_json(self) -> dict[str, Any]:
        """As XCom and as the job's ``--window``: ``{"topic": …, "partitions": {"0": [first, end], …}}``."""
        return {"topic": self.topic, "partitions": {str(span.partition): [span.first, span.end] for span in self.spans}}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Window:
        """The inverse of :meth:`to_json`."""
        spans = (Span(int(partition), int(first), int(end)) for partition, (first, end) in given["partitions"].items())
        return cls(given["topic"], tuple(sorted(spans)))

    def __str__(self) -> str:
        """One line for a log."""
        return f"{self.size:,} offsets of {self.topic}: " + "; ".join(map(str, self.spans))


def next_window(
    topic: str,
    marks: Mapping[int, tuple[int, int]],
    audited: Mapping[int, int],
    *,
    accept_expired: bool = False,
) -> Window:
    """The window of a run that starts now.

    Args:
        topic: the source topic.
        marks: of each partition the first offset that the broker still has and the next one it will give.
        audited: the next offset to audit, of the partitions that a green run has seen.
        accept_expired: begin at what the broker still has, where offsets are gone that no run has audited.

    Raises:
        WorkflowError: offsets fell out of retention before they were audited, or the topic is not the one it was.
        NothingNewError: every partition has been audited to its end.
    """
    starts = {partition: audited.get(partition, low) for partition, (low, _) in marks.items()}
    behind = {partition: end for partition, (_, end) in marks.items() if starts[partition] > end}
    if behind:
        named = ", ".join(f"partition {p} was audited to {starts[p]} and ends at {end}" for p, end in behind.items())
        raise WorkflowError(
            f"{topic} ends before what was audited ({named}): it was deleted and made anew. If that was "
            "meant, delete its rows from the table audit_positions (and give the job a new checkpoint)"
        )
    lost = [Span(p, starts[p], low) for p, (low, _) in sorted(marks.items()) if starts[p] < low]
    if lost and not accept_expired:
        raise WorkflowError(
            f"{sum(span.size for span in lost):,} offsets of {topic} fell out of the broker's retention before they "
            f"were audited: {'; '.join(map(str, lost))}. To go on without them, run with accept_expired = true; so "
            "that it does not happen again, raise the topic's retention or run the DAG more often"
        )
    spans = tuple(
        Span(p, max(starts[p], low), end) for p, (low, end) in sorted(marks.items()) if end > max(starts[p], low)
    )
    if not spans:
        raise NothingNewError(f"nothing is new in {topic} since the last audit")
    return Window(topic, spans)
