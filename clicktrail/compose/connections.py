"""Airflow's connections of the daily sales and of mail, as a file: they hold secrets, and no environment does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from clicktrail.compose.sales_database import DATABASE, HOST, PORT, READER
from clicktrail.errors import ClicktrailError
from clicktrail.sales.connections import TO_A_FOLDER
from clicktrail.sales.shop_names import DATABASE_ZONE
from clicktrail.settings import Settings


def connections(reader_password: str, api_token: str, env: Mapping[str, str]) -> dict[str, Any]:
    """Connection to its parts, as Airflow's ``LocalFilesystemBackend`` reads them.

    Args:
        reader_password: of the role that reads the sample shop's database.
        api_token: of the sample shop's API.
        env: ``AIRFLOW_CONN_SALES_DB``, ``AIRFLOW_CONN_SALES_API`` and ``AIRFLOW_CONN_SMTP_DEFAULT``, as JSON or as a
            URI, take the place of those to the sample shop and to the mail server of the containers.

    Raises:
        ClicktrailError: one of them is no JSON.
    """
    ours: dict[str, Any] = {
        "sales_db": {
            "conn_type": "postgres",
            "host": HOST,
            "port": PORT,
            "schema": DATABASE,
            "login": READER,
            "password": reader_password,
            "extra": {"time_zone": DATABASE_ZONE},
        },
        "sales_api": {
            "conn_type": "http",
            "schema": "http",
            "host": "sales-shop",
            "port": Settings.sales_api_port,
            "password": api_token,
        },
        "smtp_default": {"conn_type": "smtp", "host": "mail", "port": Settings.mail_port, "extra": TO_A_FOLDER},
    }
    return {name: _given(name, env) or value for name, value in ours.items()}


def variable_of(name: str) -> str:
    """The variable that may give a connection."""
    return f"AIRFLOW_CONN_{name.upper()}"


def _given(name: str, env: Mapping[str, str]) -> Any:
    text = env.get(variable_of(name), "").strip()
    if not text.startswith("{"):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise ClicktrailError(f"{variable_of(name)} is neither JSON nor a URI: {error}") from error
