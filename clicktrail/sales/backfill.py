"""Fills in days gone by, through one backfill of Airflow's."""

from __future__ import annotations

import logging
import time
from datetime import date, timedelta

from clicktrail.errors import ClicktrailError
from clicktrail.workflow.airflow_api import AirflowApi, BusyError

log = logging.getLogger(__name__)

DAG = "daily_sales_pipeline"
MOST = 100  # days: what Airflow shows on one page
_AT_ONCE = 3  # runs; the warehouse takes one after the other
_PAUSE = 3.0  # seconds


def start(api: AirflowApi, first: date, last: date, today: date, patience: float = 600.0) -> dict[date, str]:
    """Unpause the DAG and start the runs of all days from ``first`` to ``last``; those that have ended run again.

    A backfill that is still open is waited for: Airflow takes one a DAG, and closes it within half a minute of its last
    run. It also refuses one while another of its processes writes to a database of SQLite: then it is asked again.

    Returns:
        Day to run: the run of the morning after.

    Raises:
        ClicktrailError: the days are no range in the past, or Airflow refuses for longer than ``patience`` seconds.
    """
    if not first <= last < today:
        raise ClicktrailError(f"A backfill goes from one day to the same or a later one before {today}")
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    if len(days) > MOST:
        raise ClicktrailError(f"{len(days)} days are too many for one backfill; it takes {MOST}")
    api.unpause(DAG)
    begin, end = (f"{first + timedelta(days=1)}T00:00:00Z", f"{last + timedelta(days=1)}T23:59:59Z")
    body = {
        "dag_id": DAG,
        "from_date": begin,
        "to_date": end,
        "reprocess_behavior": "completed",
        "max_active_runs": _AT_ONCE,
        "dag_run_conf": {},
    }
    deadline = time.monotonic() + patience
    while True:
        try:
            api.post("backfills", body)
            break
        except BusyError as error:
            if time.monotonic() > deadline:
                raise
            log.info("%s; asking again", error)
            time.sleep(_PAUSE)
    made = api.get(f"dags/{DAG}/dagRuns", logical_date_gte=begin, logical_date_lte=end, limit=MOST)["dag_runs"]
    runs = {date.fromisoformat(run["logical_date"][:10]) - timedelta(days=1): run["dag_run_id"] for run in made}
    if missing := [str(day) for day in days if day not in runs]:
        raise ClicktrailError(f"Airflow has made no run for {', '.join(missing)}; see {api.base}")
    return {day: runs[day] for day in days}
