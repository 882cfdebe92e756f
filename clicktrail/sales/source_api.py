"""The sales API: pages of JSON behind a bearer token; what fails for a moment is tried again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from clicktrail.errors import ClicktrailError
from clicktrail.sales.records import RawLine, Source, as_text

_TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of an answer
_FIELDS = {
    "order_id": "orderId",
    "line": "position",
    "kind": "type",
    "sold_at": "soldAt",
    "product_id": "sku",
    "product_name": "title",
    "category": "category",
    "channel": "channel",
    "country": "country",
    "currency": "currency",
    "quantity": "quantity",
    "unit_price": "unitPrice",
    "updated_at": "updatedAt",
}


@dataclass(frozen=True)
class SalesApi:
    """Where it is, the token, and how patiently it is asked.

    429 and 5xx, time-outs and broken connections are tried again. ``backoff`` is in seconds and doubles with each try,
    up to 30; a ``Retry-After`` of up to 60 seconds is followed.
    """

    url: str
    token: str = field(repr=False)
    tries: int = 6
    backoff: float = 1.0

    def session(self) -> requests.Session:
        """A new session; close it."""
        retry = Retry(
            total=self.tries - 1,
            backoff_factor=self.backoff,
            backoff_max=30,
            retry_after_max=60,
            status_forcelist=(429, 500, 502, 503, 504),
            allowed_methods=("GET",),
            raise_on_status=False,
        )
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {self.token}"
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        return session


def read_api(api: SalesApi, day: date) -> Iterator[RawLine]:
    """All lines that the API files under the day, page after page.

    Raises:
        ClicktrailError: it does not answer, refuses, or gives something else than pages.
    """
    with api.session() as session:
        page, pages = 1, 1
        while page <= pages:
            answer = _page(session, api, day, page)
            pages = answer["pages"]
            for number, item in enumerate(answer["items"], start=1):
                given: dict[str, Any] = {name: as_text(item.get(theirs)) for name, theirs in _FIELDS.items()}
                place = f"{day} page {page} item {number}"
                yield RawLine(**{**given, "source": Source.API.value, "place": place, "filed_under": str(day)})
            page += 1


def _page(session: requests.Session, api: SalesApi, day: date, page: int) -> dict[str, Any]:
    url = f"{api.url.rstrip('/')}/v1/sales"
    try:
        answer = session.get(url, params={"day": day.isoformat(), "page": str(page)}, timeout=_TIMEOUT)
    except requests.RequestException as error:
        raise ClicktrailError(f"The sales API {url} does not answer after {api.tries} tries: {error}") from error
    if answer.status_code == 401:
        raise ClicktrailError(
            f"The sales API {url} refuses the token. Put the right one into the connection sales_api."
        )
    if answer.status_code != 200:
        raise ClicktrailError(f"The sales API {url} answers {answer.status_code} for page {page}: {answer.text[:300]}")
    try:
        body = json.loads(answer.content, parse_float=str)  # a price stays the decimal that was written
    except ValueError as error:
        raise ClicktrailError(f"The sales API {url} gives no JSON for page {page}") from error
    if (
        not isinstance(body, dict)
        or not isinstance(body.get("pages"), int)
        or not isinstance(body.get("items"), list)
        or not all(isinstance(item, dict) for item in body["items"])
    ):
        raise ClicktrailError(f"The sales API {url} gives no page of items for page {page}")
    return body
