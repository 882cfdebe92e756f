"""The job always on, or catching up: one follows the other while clicks arrive, and never two at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from clicktrail import store
from clicktrail.job import waiting
from clicktrail.settings import Settings
from tests.integration.delivery import (
    Clicks,
    check_all,
    covered,
    ended,
    ledger,
    of_its_own,
    repeated_batches,
    whole_topic,
)
from tests.integration.raw_recount import rows
from tests.integration.support import run_job, start_job, wait_for


@contextlib.contextmanager
def traffic(settings: Settings, source: Clicks) -> Iterator[None]:
    """Clicks arrive all the while."""
    over = threading.Event()
    failed: list[BaseException] = []

    def keep_sending() -> None:
        try:
            while not over.wait(1):
                source.send(settings, groups=1, size=15)
        except BaseException as error:  # noqa: BLE001 - it is raised in the test's own thread
            failed.append(error)

    thread = threading.Thread(target=keep_sending)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(120)
    assert not thread.is_alive()
    assert not failed, failed


def test_one_mode_follows_the_other_while_clicks_arrive(pipeline: Settings) -> None:
    """Always on, caught up, always on again; a second driver beside it writes nothing."""
    settings = of_its_own(pipeline, "modes")
    with contextlib.ExitStack() as running:
        with traffic(settings, Clicks(7)):
            with start_job(settings, "--trigger", "1s") as job:
                wait_for(lambda: ledger(settings) or ended(job), "the first micro-batch", 600)
                _refuse_second_driver(settings)
                job.stop()
            run_job(settings)
            done = covered(settings)
            assert len(done) > 15
            job = running.enter_context(start_job(settings, "--trigger", "1s"))
            wait_for(lambda: len(covered(settings)) > len(done) or ended(job), "another micro-batch", 600)
        waiting.wait_until_covered(settings, whole_topic(settings))
        assert job.process.poll() is None, job.said()[-4000:]
        job.stop()
    transformed, rejected = check_all(settings)
    assert len(repeated_batches(settings, transformed + rejected)) <= 2  # one for each time that it was stopped
    assert sorted({row["epoch"] for row in ledger(settings)}) == [1, 2, 3]


def _refuse_second_driver(settings: Settings) -> None:
    """A driver started by hand, with a checkpoint of its own, sees that another is alive, exits and writes nothing."""
    elsewhere = settings.with_changes(checkpoint_dir=settings.checkpoint_dir + "_second")
    with start_job(elsewhere, "--trigger", "available-now") as second:
        assert second.process.wait(600) == 3, second.said()[-4000:]
        assert "another driver is running" in second.said()
    assert not Path(elsewhere.checkpoint_dir).exists()
    assert {row["epoch"] for row in ledger(settings)} == {1}
    with store.connect(settings) as session:
        (lease,) = rows(session, "job_lease")
    assert lease["epoch"] == 1
    assert lease["holder"] is not None
