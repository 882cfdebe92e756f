"""From the producer's send to the row being readable in Cassandra, with a contender that is always on.

A process of its own sends prepared events at a steady rate. About five of them a second are looked for by their key
from the moment of their send until they are there: every 20 ms, then ever more seldom, so that looking for late ones
does not make others late.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.harness import fit, watch
from benchmarks.harness.run import ContenderFailedError, Place, Running
from benchmarks.harness.workload import DUPLICATES, END, INVALID, Loader, make_topic
from benchmarks.work import Contender, Work
from clicktrail import store
from clicktrail.job.decode import decode
from clicktrail.settings import Settings
from clicktrail.simulate import Order, labelled_clicks

PARTITIONS = 4
_LOOKED_FOR = 5  # events a second
_EVERY = 0.02  # seconds between two looks
_PRECISION = 0.1  # of what has been waited so far: an event that is late is looked for again after so much of it
_TICK = 0.005  # seconds between two sends
_START = 180.0  # seconds until the first event must be readable
_LATEST = 60.0  # seconds after the last send
_ROW = "SELECT event_id FROM events_by_user_day WHERE user_id = ? AND day = ? AND event_time = ? AND event_id = ?"
_SHORTEST = timedelta(minutes=1)
_NOW = 1_800_000_000_000  # ms: any moment after the clicks'

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Load:
    """Events at a steady rate."""

    name: str
    rate: float
    """Events a second."""
    seconds: float
    start: datetime = END
    """The events' own time begins here and goes on as they are sent, so that of several loads none is late."""

    @property
    def end(self) -> datetime:
        """When the events' own time ends."""
        return self.start + max(timedelta(seconds=self.seconds), _SHORTEST)

    @property
    def order(self) -> Order:
        """What the simulator is asked for; each name has its own clicks."""
        count = max(1, round(self.rate * self.seconds))
        return Order(
            1, f"latency {self.name}", count, visitors=max(1_000, count // 20), end=self.end,
            window=self.end - self.start, invalid=INVALID, duplicates=DUPLICATES,
        )  # fmt: skip


def key_of(value: bytes | None) -> Key:
    """The primary key of the row that an event becomes."""
    fields = decode(value, b"", _NOW, "", 0, 0).fields
    if fields is None:
        raise ValueError("a rejected event has no row")
    return fields["user_id"], fields["day"] + 2**31, fields["event_time"], fields["event_id"]


def feed(settings: Settings, load: Load, pipe: Connection) -> None:
    """Prepare the load, say so, wait for the word, send; each looked-for event's key and moment go into the pipe."""
    step = max(1, round(load.rate / _LOOKED_FOR))
    messages: list[tuple[bytes | None, bytes | None, Key | None]] = []
    wanted = False
    for number, (key, value, label) in enumerate(labelled_clicks(load.order)):
        wanted = wanted or number % step == 0
        looked_for = wanted and not label
        messages.append((key, value, key_of(value) if looked_for else None))
        wanted = wanted and not looked_for
    loader = Loader(settings, settings.source_topic, linger_ms=20)
    pipe.send(None)
    pipe.recv()
    began, sent = time.time(), 0
    while sent < len(messages):
        due = min(len(messages), int((time.time() - began) * load.rate) + 1)
        for key, value, row in messages[sent:due]:
            if row is not None:
                pipe.send((row, time.time()))
            loader.send(key, value)
        sent = due
        loader.poll()
        time.sleep(_TICK)
    pipe.send(len(messages) / (time.time() - began))
    loader.finish()
    pipe.close()


class Lookout:
    """Looks for rows until they are there."""

    def __init__(self, session: Any) -> None:
        self._session, self._statement = session, session.prepare(_ROW)
        self._waiting: dict[Key, tuple[float, float]] = {}
        """By key: when it was sent, and when to look for it next."""
        self.latencies: list[float] = []

    def expect(self, key: Key, sent: float) -> None:
        """Look for this row from now on."""
        self._waiting[key] = sent, sent

    @property
    def waiting(self) -> int:
        """How many rows are not there yet."""
        return len(self._waiting)

    def look(self) -> None:
        """Look once for all that are due; a row counts from the moment that its answer arrived."""
        now = time.time()
        due = [(key, sent) for key, (sent, moment) in self._waiting.items() if moment <= now]
        seen: dict[Key, float] = {}

        def answered(rows: Any, key: Key) -> None:
            if rows:
                seen[key] = time.time()

        answers = []
        for key, _ in due:
            answer = self._session.execute_async(self._statement, key)
            answer.add_callback(answered, key)
            answers.append(answer)
        for answer in answers:
            answer.result()
        for key, sent in due:
            if key in seen:
                self.latencies.append(seen[key] - sent)
                del self._waiting[key]
            else:
                self._waiting[key] = sent, now + max(_EVERY, _PRECISION * (now - sent))


@contextmanager
def following(place: Place, contender: Contender, work: Work) -> Iterator[tuple[Running, Any, float]]:
    """A contender that is on: its processes, a session with its keyspace, seconds from its start to the first row."""
    make_topic(place.settings, work.source_topic, work.partitions)
    with place.ready(work) as settings, store.connect(settings) as session:
        probe = Load("probe", 1, 1)
        first = next((key, value) for key, value, label in labelled_clicks(probe.order) if not label)
        watch.settle(place.servers)
        running = Running(contender, work)
        try:
            loader = Loader(settings, work.source_topic)
            loader.send(*first)
            loader.finish()
            lookout = Lookout(session)
            lookout.expect(key_of(first[1]), time.time())
            while lookout.waiting:
                running.require_running()
                lookout.look()
                if (since := time.perf_counter() - running.began) > _START:
                    raise ContenderFailedError(f"{contender.name}: no row after {since:.0f} s; {running.said()}")
                time.sleep(_EVERY)
            yield running, session, time.perf_counter() - running.began
        finally:
            running.stop()


def measure(place: Place, settings: Settings, running: Running, session: Any, load: Load) -> dict[str, float]:
    """Put a load on a running contender; the latencies in seconds, and what it cost."""
    context = get_context("spawn")
    here, there = context.Pipe()
    feeder = context.Process(target=feed, args=(settings, load, there), daemon=True)
    feeder.start()
    there.close()
    try:
        here.recv()  # it is ready
        running.require_running()
        machine, engine = watch.Machine(place.servers), running.watch.cpu()
        fed = watch.Watch(feeder.pid or 0)
        fed.look()
        fed_before = fed.cpu()
        here.send(None)
        lookout = Lookout(session)
        rate = _look_until_done(here, lookout, running, fed)
        running.require_running()
        engine = running.watch.cpu() - engine
        costs = machine.figures(engine + fed.cpu() - fed_before)
    finally:
        here.close()
        feeder.join(30)
        if feeder.is_alive():
            feeder.kill()
    if not lookout.latencies:
        raise ContenderFailedError(f"no row was readable within {_LATEST:.0f} s; {running.said()}")
    return {
        "rate": rate,
        "p50": fit.percentile(lookout.latencies, 0.5),
        "p99": fit.percentile(lookout.latencies, 0.99),
        "max": max(lookout.latencies),
        "looked_for": len(lookout.latencies) + lookout.waiting,
        "missing": lookout.waiting,
        "engine_cpu": engine,
        "peak_memory_mib": running.watch.peak,
        **costs,
    }


def _look_until_done(pipe: Connection, lookout: Lookout, running: Running, fed: watch.Watch) -> float:
    """Look for what is sent until all is there, or too late; the rate that was reached, in events a second."""
    rate, deadline, look_at = 0.0, float("inf"), 0.0
    while not rate or lookout.waiting:
        began = time.monotonic()
        while not rate and pipe.poll():
            told = pipe.recv()
            if isinstance(told, float):
                rate, deadline = told, began + _LATEST
            else:
                lookout.expect(*told)
        lookout.look()
        if began > deadline:
            break
        if began >= look_at:
            running.require_running()
            fed.look()
            look_at = began + 0.5
        time.sleep(max(0.0, began + _EVERY - time.monotonic()))
    return rate
