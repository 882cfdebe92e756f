"""The lease against a real Cassandra: one holder, a higher epoch each time, nobody broken while alive."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator

import pytest
from cassandra.cluster import Session

from clicktrail import store
from clicktrail.job.lease import Lease, LeaseHeldError, LeaseLostError
from clicktrail.settings import Settings

LONG = 60.0
"""Seconds of a lease that must not run out in a test."""
SHORT = 2.0


@pytest.fixture(scope="module")
def session(stack: Settings) -> Iterator[Session]:
    with store.connect(stack) as connected:
        yield connected


@pytest.fixture
def query() -> str:
    """A lease that nobody else wants."""
    return f"test {uuid.uuid4()}"


def taken(session: Session, query: str, seconds: float = LONG) -> Lease:
    lease = Lease(session, query, seconds)
    lease.acquire()
    return lease


def dead(lease: Lease) -> Lease:
    """A holder that gives no sign of life any more, as after kill -9."""
    lease._stop.set()
    assert lease._thread is not None
    lease._thread.join(60)
    return lease


def test_one_that_is_alive_is_left_in_peace(session: Session, query: str) -> None:
    # beats come every sixth of the lease time: seen long before it would be over
    first = taken(session, query, 30)
    with pytest.raises(LeaseHeldError, match="process"):
        taken(session, query, 30)
    first.check()
    first.release()


def test_released_one_is_free_at_once(session: Session, query: str) -> None:
    for epoch in (1, 2, 3):
        started = time.monotonic()
        lease = taken(session, query)
        assert lease.epoch == epoch
        assert time.monotonic() - started < LONG  # it did not wait for the lease to run out
        lease.check()
        lease.release()


def test_dead_drivers_lease_is_outwaited(session: Session, query: str) -> None:
    first = dead(taken(session, query, SHORT))
    started = time.monotonic()
    second = taken(session, query, SHORT)
    assert time.monotonic() - started >= SHORT
    assert second.epoch == 2
    with pytest.raises(LeaseLostError, match="epoch 1"):
        first.check()
    with pytest.raises(LeaseLostError):
        first.next_write_time()
    first.release()
    row = session.execute("SELECT holder, epoch FROM job_lease WHERE query = %s", (query,)).one()
    assert row.holder is not None  # the first gave nothing away that was not its own
    assert row.epoch == 2
    second.release()


def test_holder_finds_out_that_another_took_over(session: Session, query: str) -> None:
    first = taken(session, query)
    session.execute("UPDATE job_lease SET holder = %s, epoch = 2 WHERE query = %s IF EXISTS", (uuid.uuid4(), query))
    with pytest.raises(LeaseLostError):
        first.next_write_time()
    with pytest.raises(LeaseLostError):
        first.check()
    first.release()


def test_only_one_of_many_gets_it(session: Session, query: str) -> None:
    leases = [Lease(session, query, 30) for _ in range(4)]
    refused: list[LeaseHeldError] = []

    def compete(lease: Lease) -> None:
        try:
            lease.acquire()
        except LeaseHeldError as error:
            refused.append(error)

    threads = [threading.Thread(target=compete, args=(lease,)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert not any(thread.is_alive() for thread in threads)
    assert len(refused) == 3
    (holder,) = [lease for lease in leases if lease._thread is not None]
    assert holder.epoch == 1
    holder.check()
    holder.release()


def test_write_times_only_grow(session: Session, query: str) -> None:
    lease = taken(session, query)
    times = [lease.next_write_time() for _ in range(5)]
    assert times == sorted(set(times))
    ahead = times[-1] + 10**12  # a driver whose clock was days ahead
    session.execute("UPDATE job_lease SET write_time = %s WHERE query = %s IF EXISTS", (ahead, query))
    assert lease.next_write_time() == ahead + 1
    lease.release()
    after = taken(session, query)
    assert after.next_write_time() == ahead + 2
    after.release()
