"""Daily sales of a shop that sells in many places.

`extract_data → transform_data → load_data → generate_report → send_email`: one day from a sales database, an HTTP API
and the stores' CSV files; cleaned by the rules in `clicktrail/sales/rules.py`, each rejected row kept with its reason;
into the warehouse, in the place of what it had of that day; as a PDF and a mail to `CLICKTRAIL_SALES_MAIL_TO`. The
sources that come with the stack are a sample shop's, and its mail server writes each mail to a file (in the embedded
stack to `mails` in `CLICKTRAIL_HOME`).

One run is one UTC day: the param `day`, else the day before the run's logical date, else the day before now. A rerun
puts the same rows in the place of the same rows (and sends the mail again). A backfill fills in days gone by, each run
the day before its date; `clicktrail sales backfill 2026-10-01 2026-10-31` asks Airflow for the right ones.

Connections: `sales_db` (extra: `time_zone`), `sales_api` (the token is the password), `smtp_default`; what a shop of
your own has to offer is in `docs/decisions/050-daily-sales.md`. XCom carries paths and counts; the files are in
`CLICKTRAIL_SALES_DIR`, which workers on several machines have to share.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import Param, dag, task

Handed = dict[str, Any]


@dag(
    dag_id="daily_sales_pipeline",
    doc_md=__doc__,
    schedule="0 6 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    dagrun_timeout=timedelta(hours=1),
    default_args={"retries": 1, "retry_delay": timedelta(minutes=5), "execution_timeout": timedelta(minutes=20)},
    params={
        "day": Param(None, type=["null", "string"], format="date", description="the UTC day; empty: the day before"),
    },
    tags=["sales"],
)
def daily_sales_pipeline() -> None:
    """Extract, transform, load, report, send."""

    @task
    def extract_data(params: dict[str, Any] | None = None, dag_run: Any = None) -> Handed:
        """XCom: the day, the file of raw lines, how many lines each source gave."""
        from clicktrail.sales.connections import connected_shops
        from clicktrail.sales.days import sales_day
        from clicktrail.sales.pipeline import extract_day
        from clicktrail.workflow.connections import connected_settings

        assert params is not None
        day = sales_day(params["day"], dag_run.logical_date, dag_run.run_after)
        settings = connected_settings()
        return extract_day(settings, connected_shops(settings), day)

    @task
    def transform_data(extracted: Handed) -> Handed:
        """XCom: the file of the warehouse's rows; lines read, sold, rejected, of other days."""
        from clicktrail.sales.pipeline import transform_day
        from clicktrail.settings import Settings

        return transform_day(Settings.from_env(), extracted)

    @task
    def load_data(transformed: Handed) -> Handed:
        """XCom: rows by table."""
        from clicktrail.sales.pipeline import load_day
        from clicktrail.settings import Settings

        return load_day(Settings.from_env(), transformed)

    @task
    def generate_report(loaded: Handed) -> Handed:
        """XCom: the report's files, the mail's subject."""
        from clicktrail.sales.pipeline import report_day
        from clicktrail.settings import Settings

        return report_day(Settings.from_env(), loaded)

    @task
    def send_email(report: Handed) -> list[str]:
        """XCom: who got it."""
        from clicktrail.sales.mail import send_report
        from clicktrail.settings import Settings

        return send_report(Settings.from_env(), report)

    send_email(generate_report(load_data(transform_data(extract_data()))))


daily_sales_pipeline()
