"""One writer: a lease in Cassandra, taken and renewed by lightweight transactions.

No clock is compared with another: whoever wants a held lease watches its ``beat`` on its own monotonic clock, and takes
it only after a whole lease time without a sign of life. Each holder has a higher ``epoch`` than the one before.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from cassandra import ConsistencyLevel, DriverException
from cassandra.cluster import NoHostAvailable, Session
from cassandra.query import SimpleStatement

from clicktrail.errors import ClicktrailError

logger = logging.getLogger(__name__)

_LOST_AFTER = 0.8  # of the lease time without a renewal: stop before another may start
_RENEWALS = 3  # in one lease time


class LeaseHeldError(ClicktrailError):
    """Another driver is alive and holds the lease."""


class LeaseLostError(ClicktrailError):
    """This driver no longer holds the lease and must not write."""


class Lease:
    """The right to write for one query: ``acquire`` it, ``check`` it before each write, ``release`` it at the end."""

    def __init__(
        self, session: Session, query: str, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is taken yet; ``seconds`` is the lease time."""
        self._session = session
        self._query = query
        self._seconds = seconds
        self._clock = clock
        self._holder = uuid.uuid4()
        self._beat = 0
        self._renewed = 0.0
        self._lost = threading.Event()
        self._why = "another driver has taken it"
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.epoch = 0

    def acquire(self) -> None:
        """Take the lease; that of a dead driver is outwaited.

        Raises:
            LeaseHeldError: the holder gave a sign of life meanwhile.
        """
        while not self._take(self._await_silence()):
            logger.info("another driver was quicker to take the lease; looking again")
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()
        logger.info("took the lease of %s, epoch %d", self._query, self.epoch)

    def check(self) -> None:
        """Raise LeaseLostError where this driver may no longer write."""
        if not self._lost.is_set() and self._clock() - self._renewed > self._seconds * _LOST_AFTER:
            self._lost.set()
            self._why = "Cassandra is away or too slow to renew it in time"
        if self._lost.is_set():
            raise LeaseLostError(f"lost the lease of {self._query} (epoch {self.epoch}): {self._why}; stopping")

    def next_write_time(self) -> int:
        """A write time for derived rows (microseconds): later than any before, whatever the clocks say.

        Raises:
            LeaseLostError: the lease is another's.
        """
        self.check()
        row = self._execute("SELECT write_time FROM job_lease WHERE query = %s", (self._query,)).one()
        moment = max(time.time_ns() // 1_000, (row.write_time or 0) + 1)
        update = "UPDATE job_lease SET write_time = %s WHERE query = %s IF holder = %s AND epoch = %s"
        if not self._execute(update, (moment, self._query, self._holder, self.epoch)).was_applied:
            self._lost.set()
            self.check()
        return moment

    def release(self) -> None:
        """Give the lease back, so that the next driver need not wait."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=self._seconds)
        if self._lost.is_set() or not self.epoch:
            return
        update = "UPDATE job_lease SET holder = null WHERE query = %s IF holder = %s AND epoch = %s"
        try:
            self._execute(update, (self._query, self._holder, self.epoch))
        except (DriverException, NoHostAvailable) as error:
            logger.warning("the lease could not be given back and runs out by itself: %s", error)

    def _await_silence(self) -> Any:
        """The lease's row once nobody is alive behind it; None where there is no row."""
        first = self._row()
        if first is None or first.holder is None:
            return first
        logger.info("the lease of %s is held by %s; waiting for a sign of life", self._query, first.description)
        end = self._clock() + self._seconds
        while self._clock() < end:
            time.sleep(min(1.0, self._seconds / 10))
            row = self._row()
            if row.holder is None:
                return row
            if (row.epoch, row.beat) != (first.epoch, first.beat):
                raise LeaseHeldError(
                    f"another driver is running and holds the lease: {row.description}. "
                    "Stop it first, or let it do the work"
                )
        return first

    def _row(self) -> Any:
        select = "SELECT holder, epoch, beat, description FROM job_lease WHERE query = %s"
        return self._execute(select, (self._query,)).one()

    def _take(self, seen: Any) -> bool:
        description = f"process {os.getpid()} on {socket.gethostname()}"
        if seen is None:
            self.epoch = 1
            insert = (
                "INSERT INTO job_lease (query, holder, epoch, beat, write_time, description) "
                "VALUES (%s, %s, %s, %s, %s, %s) IF NOT EXISTS"
            )
            taken = self._execute(insert, (self._query, self._holder, self.epoch, 0, 0, description))
        else:
            self.epoch = seen.epoch + 1
            update = (
                "UPDATE job_lease SET holder = %s, epoch = %s, beat = 0, description = %s "
                "WHERE query = %s IF epoch = %s AND beat = %s AND holder = %s"
            )
            values = (self._holder, self.epoch, description, self._query, seen.epoch, seen.beat, seen.holder)
            taken = self._execute(update, values)
        self._beat, self._renewed = 0, self._clock()
        return bool(taken.was_applied)

    def _keep(self) -> None:
        while not self._stop.wait(self._seconds / _RENEWALS / 2):
            try:
                if not self._renew():
                    self._lost.set()
                    logger.error("the lease of %s was taken by another driver", self._query)
                    return
            except (DriverException, NoHostAvailable) as error:
                logger.warning("could not renew the lease, trying again: %s", error)

    def _renew(self) -> bool:
        started = self._clock()
        update = "UPDATE job_lease SET beat = %s WHERE query = %s IF holder = %s AND epoch = %s"
        applied = self._execute(update, (self._beat + 1, self._query, self._holder, self.epoch)).was_applied
        if applied:
            self._beat += 1
            self._renewed = started
        return bool(applied)

    def _execute(self, statement: str, values: tuple[Any, ...]) -> Any:
        consistency = ConsistencyLevel.SERIAL if statement.startswith("SELECT") else ConsistencyLevel.QUORUM
        return self._session.execute(SimpleStatement(statement, consistency_level=consistency), values, timeout=10)
