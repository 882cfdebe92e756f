"""Days gone by through Airflow's backfill, against a server of the test's own that answers as Airflow's API does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

from clicktrail.commands.sales import app
from clicktrail.errors import ClicktrailError
from clicktrail.sales import backfill
from clicktrail.settings import Settings
from clicktrail.workflow.airflow_api import AirflowApi, BusyError

TODAY = date(2026, 11, 1)


class Airflow(BaseHTTPRequestHandler):
    """Refuses some backfills with these states, then takes one and makes its runs, which end in ``outcome``."""

    refusals: ClassVar[list[int]] = []
    bodies: ClassVar[list[Any]] = []
    dates: ClassVar[list[str]] = []
    outcome: ClassVar[str] = "success"

    def do_GET(self) -> None:
        path = self.path.split("?")[0].removeprefix("/api/v2")
        if path == "/auth/token":
            return self.answer(201, {"access_token": "t"})
        if path == "/dags/daily_sales_pipeline/dagRuns":
            runs = [{"logical_date": f"{day}T06:00:00Z", "dag_run_id": f"backfill__{day}"} for day in self.dates]
            return self.answer(200, {"dag_runs": runs})
        return self.answer(200, {"state": self.outcome})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.refusals:
            return self.answer(self.refusals.pop(0), {"detail": "not now"})
        self.bodies.append(body)
        return self.answer(200, {"id": 1})

    def do_PATCH(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        return self.answer(200, {})

    def answer(self, status: int, body: Any) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    Airflow.refusals, Airflow.bodies, Airflow.outcome = [], [], "success"
    Airflow.dates = ["2026-10-02", "2026-10-03", "2026-10-04"]
    monkeypatch.setattr(backfill, "_PAUSE", 0.01)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Airflow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_the_runs_are_those_of_the_mornings_after(airflow: int) -> None:
    Airflow.refusals = [409, 503]  # another backfill is open; SQLite is locked
    api = AirflowApi(Settings(airflow_port=airflow))
    runs = backfill.start(api, date(2026, 10, 1), date(2026, 10, 3), TODAY)
    assert runs == {date(2026, 10, day): f"backfill__2026-10-0{day + 1}" for day in (1, 2, 3)}
    (body,) = Airflow.bodies
    assert (body["from_date"], body["to_date"]) == ("2026-10-02T00:00:00Z", "2026-10-04T23:59:59Z")
    assert (body["dag_id"], body["reprocess_behavior"]) == ("daily_sales_pipeline", "completed")


def test_what_cannot_be_filled_in_is_said(airflow: int) -> None:
    api = AirflowApi(Settings(airflow_port=airflow))
    for first, last in ((date(2026, 10, 3), date(2026, 10, 1)), (date(2026, 10, 31), TODAY)):
        with pytest.raises(ClicktrailError, match="before 2026-11-01"):
            backfill.start(api, first, last, TODAY)
    with pytest.raises(ClicktrailError, match="304 days are too many"):
        backfill.start(api, date(2026, 1, 1), date(2026, 10, 31), TODAY)
    assert Airflow.bodies == []
    Airflow.dates = Airflow.dates[:1]
    with pytest.raises(ClicktrailError, match="no run for 2026-10-02, 2026-10-03;"):
        backfill.start(api, date(2026, 10, 1), date(2026, 10, 3), TODAY)
    Airflow.refusals = [409]
    with pytest.raises(BusyError, match="not now"):
        backfill.start(api, date(2026, 10, 1), date(2026, 10, 3), TODAY, patience=0)


def test_the_command_follows_the_runs_and_fails_where_one_does(airflow: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKTRAIL_AIRFLOW_PORT", str(airflow))
    monkeypatch.setenv("COLUMNS", "160")
    arguments = ["backfill", "2026-10-01", "2026-10-03"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "In the warehouse: 2026-10-01 to 2026-10-03, days: 3" in result.output
    Airflow.outcome = "failed"
    with pytest.raises(ClicktrailError, match="Not green: 2026-10-01, 2026-10-02, 2026-10-03"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
