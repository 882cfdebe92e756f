"""The sample shop of the embedded stack: keeps its sales up to yesterday written, and serves its HTTP API."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from types import FrameType

from clicktrail.sales.folders import Folders, api_token, write_atomically
from clicktrail.servers.service import Service
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


def write_missing_days(folders: Folders, today: date) -> None:
    """Write what the shop sold up to yesterday, from where it ended last; at first the last 40 days."""
    from clicktrail.sales.shop_sources import write_shop

    mark = folders.shop / "written.json"
    yesterday = today - timedelta(days=1)
    try:
        first = date.fromisoformat(json.loads(mark.read_text())["last"]) + timedelta(days=1)
    except FileNotFoundError:
        first = today - timedelta(days=HISTORY)
    if first <= yesterday:
        write_shop(folders, first, yesterday, SEED)
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

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = Settings.from_env()
    folders = Folders.of(settings)
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    write_missing_days(folders, datetime.now(UTC).date())
    server = ShopApi((settings.host, settings.sales_api_port), folders.api, api_token(folders))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log.info("the sample shop serves on %s:%d", settings.host, settings.sales_api_port)
    while not ended.wait(_LOOK):
        write_missing_days(folders, datetime.now(UTC).date())
    server.shutdown()


if __name__ == "__main__":
    main()
