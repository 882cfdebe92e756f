"""The secrets of an installation: made once, kept, taken from the environment, never readable by all."""

from __future__ import annotations

import base64
import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from clicktrail.compose.connections import connections
from clicktrail.compose.roles import ROLES
from clicktrail.compose.secrets import (
    ADMIN,
    DATABASE,
    LOGINS,
    SALES_READER,
    SECRETS,
    SHOP_API,
    SHOP_OWNER,
    database_address,
    settle,
    show,
    spark_defaults,
    write,
)
from clicktrail.errors import ClicktrailError


def test_the_first_start_makes_all_of_them_and_the_second_keeps_them(tmp_path: Path) -> None:
    first = settle(tmp_path, {})
    assert set(first) == set(SECRETS)
    assert len(set(first.values())) == len(SECRETS), "no two alike"
    assert settle(tmp_path, {}) == first
    for secret, value in first.items():
        assert (tmp_path / secret.file).read_text() == value


def test_two_installations_share_none(tmp_path: Path) -> None:
    here, there = settle(tmp_path / "here", {}), settle(tmp_path / "there", {})
    assert not set(here.values()) & set(there.values())


def test_each_can_be_given_and_changed(tmp_path: Path) -> None:
    assert settle(tmp_path, {"AIRFLOW_ADMIN_PASSWORD": "first"})[ADMIN] == "first"
    assert settle(tmp_path, {})[ADMIN] == "first"
    assert settle(tmp_path, {"AIRFLOW_ADMIN_PASSWORD": "second"})[ADMIN] == "second"
    assert settle(tmp_path, {"AIRFLOW_ADMIN_PASSWORD": ""})[ADMIN] == "second"


def test_the_databases_password_cannot_change_behind_its_back(tmp_path: Path) -> None:
    settle(tmp_path, {"POSTGRES_PASSWORD": "one"})
    assert settle(tmp_path, {"POSTGRES_PASSWORD": "one"})[DATABASE] == "one"
    with pytest.raises(ClicktrailError, match="down -v"):
        settle(tmp_path, {"POSTGRES_PASSWORD": "other"})
    assert (tmp_path / DATABASE.file).read_text() == "one"


def test_the_fernet_key_is_one(tmp_path: Path) -> None:
    key = next(value for secret, value in settle(tmp_path, {}).items() if secret.file.endswith("fernet_key"))
    assert len(base64.urlsafe_b64decode(key)) == 32


def test_files_are_closed_but_for_the_one_that_another_user_reads(tmp_path: Path) -> None:
    settle(tmp_path, {})
    for secret in SECRETS:
        mode = stat.S_IMODE((tmp_path / secret.file).stat().st_mode)
        assert mode == (0o444 if secret is DATABASE else 0o440)


def test_a_file_can_be_written_again(tmp_path: Path) -> None:
    write(tmp_path / "spark" / "spark-defaults.conf", "one")
    write(tmp_path / "spark" / "spark-defaults.conf", "two")
    assert (tmp_path / "spark" / "spark-defaults.conf").read_text() == "two"
    assert [path.name for path in (tmp_path / "spark").iterdir()] == ["spark-defaults.conf"]


def test_any_password_fits_the_databases_address() -> None:
    assert database_address("a/b@c:d") == "postgresql+psycopg2://airflow:a%2Fb%40c%3Ad@postgres:5432/airflow"


def test_the_tasks_connections_hold_this_installations_passwords(tmp_path: Path) -> None:
    values = settle(tmp_path, {})
    found = connections(values[SALES_READER], values[SHOP_API], {})
    assert found["sales_db"]["password"] == values[SALES_READER]
    assert found["sales_api"]["password"] == values[SHOP_API]
    assert values[SHOP_OWNER] not in json.dumps(found), "the pipeline reads, and the shop writes"


def test_connections_of_ones_own_take_the_place_of_the_shops() -> None:
    given = {
        "AIRFLOW_CONN_SALES_DB": '{"conn_type": "mysql", "host": "erp", "schema": "sales"}',
        "AIRFLOW_CONN_SMTP_DEFAULT": "smtp://me:secret@smtp.example.com:587",
        "AIRFLOW_CONN_SALES_API": "",
    }
    found = connections("reader", "token", given)
    assert found["sales_db"] == {"conn_type": "mysql", "host": "erp", "schema": "sales"}
    assert found["smtp_default"] == "smtp://me:secret@smtp.example.com:587"
    assert found["sales_api"]["password"] == "token"
    with pytest.raises(ClicktrailError, match="AIRFLOW_CONN_SALES_DB is neither JSON nor a URI"):
        connections("reader", "token", {"AIRFLOW_CONN_SALES_DB": "{conn_type: mysql}"})


def test_airflow_reads_the_file_of_connections(tmp_path: Path) -> None:
    """With the backend that docker-compose.yaml names, as a task asks for a connection."""
    file = tmp_path / "connections.json"
    file.write_text(json.dumps(connections("p@ss/word", "token", {"AIRFLOW_CONN_SMTP_DEFAULT": "smtp://own:25"})))
    asked = (
        "from airflow.sdk import BaseHook\n"
        "database, api, mail = (BaseHook.get_connection(n) for n in ('sales_db', 'sales_api', 'smtp_default'))\n"
        "print(database.conn_type, database.password, database.extra_dejson['time_zone'], api.port, mail.host)"
    )
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__WORKERS__SECRETS_BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS": json.dumps({"connections_file_path": str(file)}),
    }
    said = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "postgres p@ss/word Europe/Berlin 8091 own"


def test_sparks_secret_is_added_to_its_options() -> None:
    assert spark_defaults("spark.x 1\n\n", "s3") == "spark.x 1\nspark.authenticate true\nspark.authenticate.secret s3\n"


def test_the_logins_are_shown_with_their_roles(tmp_path: Path) -> None:
    shown = io.StringIO()
    values = settle(tmp_path, {"AIRFLOW_ADMIN_PASSWORD": "open-sesame"})
    show(values, Console(file=shown, width=40))
    lines = shown.getvalue().splitlines()
    assert [line.split("user")[0].strip() for line in lines[1:]] == [role for role, _, _ in LOGINS]
    assert lines[1].split() == ["Deployment", "Manager", "user", "admin", "password", "open-sesame"]
    assert str(values[DATABASE]) not in shown.getvalue()


def test_authors_change_nothing_and_operators_see_no_code() -> None:
    author, operator = set(ROLES["DAG Author"]), set(ROLES["Operations User"])
    assert ("can_read", "DAG Code") in author
    assert {what for action, what in author if action in {"can_create", "can_edit", "can_delete"}} == {"My Password"}
    changes = {pair for pair in operator if pair[0] in {"can_create", "can_edit", "can_delete"}}
    assert changes == {
        ("can_edit", "My Password"),
        ("can_edit", "DAGs"),
        ("can_create", "DAG Runs"),
        ("can_edit", "DAG Runs"),
        ("can_edit", "Task Instances"),
    }
    hidden = {"DAG Code", "Configurations", "Connections", "Variables", "Plugins", "Providers", "Pools", "ImportError"}
    assert not {what for _, what in operator} & hidden
    assert not {what for _, what in author} & (hidden - {"DAG Code", "ImportError"})
