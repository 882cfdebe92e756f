"""Airflow's connections to the embedded sample shop and the embedded mail server."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from clicktrail.sales.folders import Folders, api_token
from clicktrail.sales.shop_names import DATABASE_ZONE
from clicktrail.settings import Settings


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
            "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "clicktrail@example.com"},
        },
    }
    return {name: json.dumps(value) for name, value in own.items() if name not in env}
