"""Cat photo analytics: who looks at which cat.

`fetch_photos → simulate_and_send → consume → analytics`: photos from The Cat API, simulated views and likes of them to
the topic `cat_photo_events`, from there each once into `cat_photo_events.jsonl`, and what they add up to into
`cat_photo_analytics.json`, both in `cats` in `CLICKTRAIL_HOME` (`clicktrail cats` shows them).

It runs by the cron expression in `CLICKTRAIL_CAT_CRON` (every five minutes) once it is unpaused. `CAT_API_URL` and
`CAT_API_KEY` name the API; without a network set `CAT_API_OFFLINE=1`: then a bundled sample of photos is used.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pendulum
from airflow.sdk import Param, dag, task

from clicktrail.settings import Settings


@dag(
    dag_id="cat_photo_dag",
    doc_md=__doc__,
    schedule=Settings.from_env().cat_cron,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    dagrun_timeout=timedelta(minutes=20),
    default_args={"retries": 1, "retry_delay": timedelta(seconds=30), "execution_timeout": timedelta(minutes=8)},
    params={
        "photos": Param(10, type="integer", minimum=1, maximum=100, description="how many photos to fetch"),
        "mean_views": Param(20, type="number", minimum=1, maximum=100, description="views a photo gets on average"),
        "seed": Param(7, type="integer", description="seed of the simulation"),
    },
    tags=["cats", "kafka"],
)
def cat_photo_dag() -> None:
    """Fetch, simulate and send, consume, count."""

    @task
    def fetch_photos(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """XCom: the photos, a few hundred bytes each."""
        from producers.cat_photo_producer import fetch

        assert params is not None
        return [dict(photo) for photo in fetch(params["photos"])]

    @task
    def simulate_and_send(
        photos: list[dict[str, Any]],
        params: dict[str, Any] | None = None,
        run_id: str | None = None,
        dag_run: Any = None,
    ) -> int:
        """XCom: how many events were sent. A retry sends the same ones, and the consumer stores each once."""
        from clicktrail.workflow.connections import connected_settings
        from producers.cat_photo_producer import produce

        assert params is not None
        assert run_id is not None
        until: datetime = dag_run.run_after
        settings = connected_settings()
        seed, mean_views = params["seed"], params["mean_views"]
        return produce(photos, settings, seed=seed, batch=run_id, until=until, mean_views=mean_views)  # type: ignore[arg-type]

    @task
    def consume(sent: int) -> int:
        """XCom: how many events are new in the file, at least those that were sent."""
        from clicktrail.workflow.connections import connected_settings
        from consumers.cat_photo_consumer import drain

        return drain(connected_settings()).written

    @task
    def analytics(written: int) -> dict[str, int]:
        """XCom: the totals; the analytics themselves are in the file."""
        from clicktrail.cats.store import load_totals

        return load_totals(Settings.from_env().cat_folder)

    analytics(consume(simulate_and_send(fetch_photos())))


cat_photo_dag()
