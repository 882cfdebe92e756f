"""The sample shop's HTTP API: ``GET /v1/sales?day=2026-10-05&page=1`` with a bearer token.

It answers with ``{"day": …, "page": 1, "pages": 3, "items": […]}``; 401 without the token, 400 for a day or page that
is none. A day without sales has one empty page.
"""

from __future__ import annotations

import hmac
import json
import logging
from datetime import date
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

log = logging.getLogger(__name__)

PAGE = 50  # items


class ShopApi(ThreadingHTTPServer):
    """The server; it is bound when it is made, and serves in ``serve_forever``."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], folder: Path, token: str) -> None:
        super().__init__(address, _Handler)
        self.folder = folder
        self.token = token


class _Handler(BaseHTTPRequestHandler):
    server: ShopApi
    timeout = 30  # seconds without a request, after which a connection is closed

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        if address.path == "/health":
            return self._answer(HTTPStatus.OK, {"status": "ok"})
        if address.path != "/v1/sales":
            return self._answer(HTTPStatus.NOT_FOUND, {"error": "there is /v1/sales and /health"})
        if not hmac.compare_digest(
            self.headers.get("Authorization", "").encode(), f"Bearer {self.server.token}".encode()
        ):
            return self._answer(HTTPStatus.UNAUTHORIZED, {"error": "Authorization: Bearer TOKEN is missing or wrong"})
        try:
            day, page = date.fromisoformat(query["day"][0]), int(query.get("page", ["1"])[0])
        except (KeyError, ValueError):
            return self._answer(HTTPStatus.BAD_REQUEST, {"error": "as in /v1/sales?day=2026-10-05&page=1"})
        items = self._items(day)
        pages = max(1, -(-len(items) // PAGE))
        if not 1 <= page <= pages:
            return self._answer(HTTPStatus.BAD_REQUEST, {"error": f"page must be from 1 to {pages}"})
        chosen = items[(page - 1) * PAGE : page * PAGE]
        return self._answer(HTTPStatus.OK, {"day": str(day), "page": page, "pages": pages, "items": chosen})

    def _items(self, day: date) -> list[Any]:
        try:
            items: list[Any] = json.loads((self.server.folder / f"{day}.json").read_bytes())
        except FileNotFoundError:
            return []
        return items

    def _answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        content = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)
