"""The promise, over real servers: whatever dies or comes twice, each offset is one event or one dead letter.

What is in the sinks is compared with a recount of the raw topic in plain Python, never with what the job says.
"""

from __future__ import annotations

import random
import re
import shutil
import time

from clicktrail import store
from clicktrail.settings import Settings
from tests.integration.delivery import Clicks, check_all, ended, ledger, of_its_own, raw_count, repeated_batches
from tests.integration.proxy import proxy
from tests.integration.raw_recount import content, rows
from tests.integration.support import run_job, start_job, wait_for


def test_what_a_death_cuts_off_is_done_again_and_nothing_twice(pipeline: Settings) -> None:
    """Cassandra goes away in mid-run; then the job is killed; then the checkpoint is lost."""
    settings = of_its_own(pipeline, "death", max_offsets_per_batch=400)
    Clicks(20261121).send(settings, groups=10, size=150)

    _lose_cassandra(settings)
    _kill(settings, random.Random(20261121).uniform(0, 4))
    assert "waiting for a sign of life" in run_job(settings)

    transformed, rejected = check_all(settings)
    assert len(repeated_batches(settings, transformed + rejected)) <= 2  # one for each death
    assert max((transformed + rejected).values()) <= 3
    epochs = {row["epoch"] for row in ledger(settings)}
    assert len(epochs) >= 2
    before = content(settings)
    assert len(before["events_by_user_day"]) > 1_000

    shutil.rmtree(settings.checkpoint_dir)
    run_job(settings.with_changes(max_offsets_per_batch=50_000))
    after = content(settings)
    assert {name for name in before if before[name] != after[name]} == set()
    check_all(settings)


def _lose_cassandra(settings: Settings) -> None:
    """The job reaches Cassandra through a proxy that is cut after the first micro-batch: it must fail, and say why."""
    with (
        proxy(settings.cassandra_port) as way,
        start_job(settings.with_changes(cassandra_port=way.port), "--trigger", "1s") as job,
    ):
        wait_for(lambda: ledger(settings) or ended(job), "the first micro-batch", 600)
        assert job.process.poll() is None, job.said()[-4000:]
        way.cut()
        assert job.process.wait(600) == 1, job.said()[-4000:]
        assert re.search(r"ERROR clickstream_job: .*Cassandra", job.said()), job.said()[-4000:]
    found, _ = raw_count(settings)
    with store.connect(settings) as session:
        dead = {(row["partition"], row["offset"]) for row in rows(session, "dead_letters")}
    assert dead <= found.dead.keys()


def _kill(settings: Settings, delay: float) -> None:
    """kill -9 ``delay`` seconds after the next run has finished a micro-batch."""
    before = len(ledger(settings))
    with start_job(settings, "--trigger", "1s") as job:
        wait_for(lambda: len(ledger(settings)) > before or ended(job), "another micro-batch", 600)
        time.sleep(delay)
        assert job.process.poll() is None, job.said()[-4000:]
        job.kill()
