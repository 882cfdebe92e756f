"""Airflow's connections: those to the embedded sample shop and mail server, and what the tasks make of them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from clicktrail.sales.folders import Folders, api_token
from clicktrail.sales.shop_names import DATABASE_ZONE
from clicktrail.settings import Settings

if TYPE_CHECKING:
    from clicktrail.sales.pipeline import Shops

TO_A_FOLDER = {"disable_ssl": True, "disable_tls": True, "from_email": "clicktrail@example.com"}
"""The extra of a connection to the mail server that writes mails to a folder."""


def airflow_connections(settings: Settings, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables ``AIRFLOW_CONN_*`` of ``sales_db``, ``sales_api`` and ``smtp_default``.

    Args:
        settings: ports and folders.
        env: a connection that stands there already (the user's own) is left out; the process's environment by default.
    """
    env = os.environ if env is None else env
    folders = Folders.of(settings)
    own = {
        "AIRFLOW_CONN_SALES_DB": {
            "conn_type": "sqlite",
            "host": str(folders.database),
            "extra": {"time_zone": DATABASE_ZONE},
        },
        "AIRFLOW_CONN_SALES_API": {
            "conn_type": "http",
            "schema": "http",
            "host": settings.host,
            "port": settings.sales_api_port,
            "password": api_token(folders),
        },
        "AIRFLOW_CONN_SMTP_DEFAULT": {
            "conn_type": "smtp",
            "host": settings.host,
            "port": settings.mail_port,
            "extra": TO_A_FOLDER,
        },
    }
    return {name: json.dumps(value) for name, value in own.items() if name not in env}


def connected_shops(settings: Settings) -> Shops:
    """The sources behind Airflow's connections ``sales_db`` and ``sales_api``; only those that the settings name."""
    from airflow.sdk import BaseHook

    from clicktrail.sales.pipeline import Shops
    from clicktrail.sales.records import Source
    from clicktrail.sales.source_api import SalesApi
    from clicktrail.sales.source_database import database_of
    from clicktrail.sales.sources import names

    chosen = names(settings.sales_sources)
    database = api = None
    if Source.DATABASE in chosen:
        conn = BaseHook.get_connection("sales_db")
        database = database_of(
            conn.conn_type or "", conn.host, conn.port, conn.login, conn.password, conn.schema, conn.extra_dejson
        )
    if Source.API in chosen:
        conn = BaseHook.get_connection("sales_api")
        api = SalesApi(_url(conn.schema, conn.host or "", conn.port), conn.password or "")
    return Shops(database, api)


def _url(scheme: str | None, host: str, port: int | None) -> str:
    address = host if "://" in host else f"{scheme or 'https'}://{host}"
    return f"{address}:{port}" if port else address
