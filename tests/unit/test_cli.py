"""The command line: what it says where something is not as it should be."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from cassandra.util import SortedSet
from typer.testing import CliRunner

from clicktrail.cli import app
from clicktrail.commands import query
from clicktrail.errors import ClicktrailError
from clicktrail.settings import PROJECT

runner = CliRunner()


@pytest.fixture(autouse=True)
def _own_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings of a stack that does not run, on ports that nobody listens on."""
    monkeypatch.setenv("CLICKTRAIL_HOME", str(tmp_path / "home"))
    sockets = []
    for name in ("ZOOKEEPER", "KAFKA", "CASSANDRA", "AIRFLOW", "MAIL", "SALES_API"):
        taken = socket.socket()
        taken.bind(("127.0.0.1", 0))
        sockets.append(taken)
        monkeypatch.setenv(f"CLICKTRAIL_{name}_PORT", str(taken.getsockname()[1]))
    yield
    for taken in sockets:
        taken.close()


def run_program(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clicktrail.cli", *args],
        cwd=PROJECT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_an_error_for_people_is_one_sentence_and_exit_code_1() -> None:
    told = run_program("query", "SELECT 1")

    assert told.returncode == 1
    assert told.stdout == ""
    assert told.stderr.startswith("No Cassandra answers at 127.0.0.1")
    assert "clicktrail up" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_wrong_setting_is_told() -> None:
    told = run_program("status", CLICKTRAIL_KAFKA_PORT="x")

    assert told.returncode == 1
    assert told.stderr == "CLICKTRAIL_KAFKA_PORT must be a whole number, not 'x'\n"


def test_down_with_nothing_running() -> None:
    result = runner.invoke(app, ["down"])

    assert (result.exit_code, result.stdout) == (0, "Nothing is running.\n")


def test_status_of_nothing() -> None:
    result = runner.invoke(app, ["status"])

    assert result.exit_code == 1
    for name in ("zookeeper", "kafka", "cassandra", "airflow"):
        assert name in result.stdout
    assert result.stdout.count("stopped") >= 4


def test_logs_of_an_unknown_service_names_those_there_are(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "logs"
    folder.mkdir(parents=True)
    (folder / "kafka.log").write_text("".join(f"line {number}\n" for number in range(100)))

    result = runner.invoke(app, ["logs", "zoo"])
    assert isinstance(result.exception, ClicktrailError)
    assert "Logs: kafka." in str(result.exception)

    assert runner.invoke(app, ["logs", "kafka", "-n", "2"]).stdout == "line 98\nline 99\n"


def test_reset_asks_and_deletes_only_after_a_yes(tmp_path: Path) -> None:
    kept = tmp_path / "home" / "data" / "kafka"
    kept.mkdir(parents=True)

    assert runner.invoke(app, ["reset"], input="n\n").exit_code == 1
    assert kept.exists()

    assert runner.invoke(app, ["reset"], input="y\n").exit_code == 0
    assert not (tmp_path / "home").exists()

    assert "There is nothing" in runner.invoke(app, ["reset", "--yes"]).stdout


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ('it\'s, "so"', 'it\'s, "so"'),
        (datetime(2026, 1, 2, 3, 4, 5, 678_000), "2026-01-02T03:04:05.678Z"),
        (True, "True"),
        (b"raw \xff", "raw \\xff"),
        (SortedSet(["b", "a"]), '["a","b"]'),
        ({"k": 1}, '{"k":1}'),
        (1.5, "1.5"),
    ],
)
def test_values_are_written_so_that_programs_can_read_them(value: object, text: str) -> None:
    assert query._text(value) == text


def test_rows_as_json_csv_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("/a,b", 3), ("[bold]/c", None)]

    query._write(query.Format.JSON, ["page", "views"], rows)
    assert capsys.readouterr().out == '{"page":"/a,b","views":3}\n{"page":"[bold]/c","views":null}\n'
    query._write(query.Format.CSV, ["page", "views"], rows)
    assert capsys.readouterr().out == 'page,views\n"/a,b",3\n[bold]/c,\n'
    query._write(query.Format.TABLE, ["page", "views"], rows)
    table = capsys.readouterr().out
    assert "[bold]/c" in table
    assert "2 rows" in table
