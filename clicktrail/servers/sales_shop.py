"""The sample shop: keeps its sales up to yesterday written, and serves its HTTP API.

The embedded stack runs it with a database of SQLite and a token of its own making, the containers with ``--secrets
FOLDER``: the database's address is in ``FOLDER/database_url``, the token in ``FOLDER/api_token``.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from sqlalchemy import URL, make_url

from clicktrail.sales.folders import Folders, api_token, write_atomically
from clicktrail.servers.service import Service
from clicktrail.servers.signals import told_to_end
from clicktrail.settings import Settings

log = logging.getLogger(__name__)

SEED = 20_260
HISTORY = 40  # days
_LOOK = 300.0  # seconds between two looks at the calendar


def sales_shop_service(settings: Settings) -> Service:
    """The service of the stack."""
    return Service(
        name="sales_shop",
        command=(sys.executable, "-m", "clicktrail.servers.sales_shop"),
        check=lambda: _reason(settings),
        env=settings.to_env(),
        ports={"sales_api_port": settings.sales_api_port},
        memory_mb=100,
    )


def write_missing_days(folders: Folders, today: date, database: URL | None = None) -> None:
    """Write what the shop sold up to yesterday, from where it ended last; at first the last 40 days.

    Args:
        folders: where the files go.
        today: the day after the last one.
        database: the shop's database; SQLite in ``folders`` by default.
    """
    from clicktrail.sales.shop_sources import write_shop

    mark = folders.shop / "written.json"
    yesterday = today - timedelta(days=1)
    try:
        first = date.fromisoformat(json.loads(mark.read_text())["last"]) + timedelta(days=1)
    except FileNotFoundError:
        first = today - timedelta(days=HISTORY)
    if first <= yesterday:
        write_shop(folders, first, yesterday, SEED, database)
        write_atomically(mark, json.dumps({"last": str(yesterday)}).encode())


def _reason(settings: Settings) -> str | None:
    connection = HTTPConnection(settings.host, settings.sales_api_port, timeout=5)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"it does not answer: {error}"
    finally:
        connection.close()
    return None if status == 200 else f"it answers {status}"


def main() -> None:
    """Serve until SIGTERM."""
    from clicktrail.sales.shop_api import ShopApi

    arguments = argparse.ArgumentParser(description=main.__doc__)
    arguments.add_argument("--secrets", type=Path, help="folder of database_url and api_token")
    given: Path | None = arguments.parse_args().secrets
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = Settings.from_env()
    folders = Folders.of(settings)
    ended = told_to_end()
    database = make_url((given / "database_url").read_text().strip()) if given else None
    token = (given / "api_token").read_text().strip() if given else api_token(folders)
    write_missing_days(folders, datetime.now(UTC).date(), database)
    server = ShopApi((settings.host, settings.sales_api_port), folders.api, token)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log.info("the sample shop serves on %s:%d", settings.host, settings.sales_api_port)
    while not ended.wait(_LOOK):
        write_missing_days(folders, datetime.now(UTC).date(), database)
    server.shutdown()


if __name__ == "__main__":
    main()
