"""What the workflow remembers in Cassandra: each run's window, and how far its topic has been audited."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from cassandra.cluster import Session

from clicktrail.workflow.window import Span, Window

SINKS = ("kafka", "destination")
"""A run is green, and its window audited, once both have been."""


class Positions:
    """The tables ``audit_windows`` and ``audit_positions``; each call can run again without harm."""

    def __init__(self, session: Session, dag_id: str) -> None:
        self._session = session
        self._dag_id = dag_id

    def window(self, run_id: str) -> Window | None:
        """The window that was pinned for this run."""
        row = self._session.execute(
            "SELECT topic, firsts, ends FROM audit_windows WHERE dag_id = %s AND run_id = %s", (self._dag_id, run_id)
        ).one()
        if row is None or row.topic is None:
            return None
        spans = (Span(partition, first, row.ends[partition]) for partition, first in row.firsts.items())
        return Window(row.topic, tuple(sorted(spans)))

    def pin(self, run_id: str, window: Window, now: dt.datetime) -> Window:
        """Keep the window for this run; where another try was quicker, the one that is kept is given back."""
        self._session.execute(
            "INSERT INTO audit_windows (dag_id, run_id, topic, firsts, ends, pinned_at) "
            "VALUES (%s, %s, %s, %s, %s, %s) IF NOT EXISTS",
            (
                self._dag_id,
                run_id,
                window.topic,
                {span.partition: span.first for span in window.spans},
                window.ends(),
                now,
            ),
        )
        return self.window(run_id) or window

    def audited(self, topic: str) -> dict[int, int]:
        """Of each partition the next offset to audit."""
        rows = self._session.execute(
            "SELECT partition, next_offset FROM audit_positions WHERE dag_id = %s AND topic = %s", (self._dag_id, topic)
        )
        return {row.partition: row.next_offset for row in rows}

    def mark(self, run_id: str, sink: str, window: Window, now: dt.datetime) -> bool:
        """Note that this sink holds the window; once both do, the audited position moves to the window's end.

        Returns:
            Whether the position was moved: it only grows, so that a cleared old run leaves it.
        """
        self._session.execute(
            "UPDATE audit_windows SET audited[%s] = %s WHERE dag_id = %s AND run_id = %s",
            (sink, now, self._dag_id, run_id),
        )
        row = self._session.execute(
            "SELECT audited FROM audit_windows WHERE dag_id = %s AND run_id = %s", (self._dag_id, run_id)
        ).one()
        if set(SINKS) - set(row.audited or {}):
            return False
        self._advance(window.topic, window.ends())
        return True

    def unmark(self, run_id: str, sink: str) -> None:
        """Take the mark back: the audit of this sink has begun again."""
        self._session.execute(
            "DELETE audited[%s] FROM audit_windows WHERE dag_id = %s AND run_id = %s", (sink, self._dag_id, run_id)
        )

    def _advance(self, topic: str, ends: Mapping[int, int]) -> None:
        for partition, end in ends.items():
            key = (self._dag_id, topic, partition)
            self._session.execute(
                "INSERT INTO audit_positions (dag_id, topic, partition, next_offset) "
                "VALUES (%s, %s, %s, %s) IF NOT EXISTS",
                (*key, end),
            )
            self._session.execute(
                "UPDATE audit_positions SET next_offset = %s WHERE dag_id = %s AND topic = %s AND partition = %s "
                "IF next_offset < %s",
                (end, *key, end),
            )
