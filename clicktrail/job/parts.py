"""The parts of an event that repeat from one to the next: its page, its client, its properties.

A visitor looks at few pages with one browser, and few products make most of the events. So a part is checked and
enriched once, and kept together with the JSON and the cells of its fields. It is known by the JSON of what it is made
of, which tells ``1`` from ``1.0`` and ``true``. Rejections are not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from clicktrail import enrich
from clicktrail.events import FIELD_NAMES, FIELDS, UNKNOWN_SITE
from clicktrail.job import cells, checks

PAGE = frozenset({"url", "path", "referrer", "search", "title"})
_CAMPAIGN = ("source", "medium", "name", "term", "content")
LONGEST = 4_096
"""Bytes of the largest record whose parts are kept, so that long texts do not fill the memory."""
_KEPT = 16_384
"""Parts of each kind that are kept."""


class Part(NamedTuple):
    """Fields of an event that stand next to each other in ``clicktrail.events.FIELDS``."""

    values: tuple[Any, ...]
    json: bytes
    """``,"name":value`` of each that has a value."""
    cells: bytes
    """As the event store takes them (:mod:`clicktrail.job.cells`)."""


def _maker(first: str, last: str, make: Callable[[Any], dict[str, Any]]) -> Callable[[bytes], Part]:
    """A function from JSON to the part from ``first`` to ``last``; ``make`` makes its fields of what the JSON says."""
    fields_of_it = FIELDS[FIELD_NAMES.index(first) : FIELD_NAMES.index(last) + 1]
    names = tuple(field.name for field in fields_of_it)
    kinds = tuple(field.kind for field in fields_of_it)

    def part(text: bytes) -> Part:
        fields = make(orjson.loads(text))
        shown = orjson.dumps({name: fields[name] for name in names if fields.get(name) is not None})[1:-1]
        values = tuple(map(fields.get, names))
        return Part(values, shown and b"," + shown, cells.encode(kinds, values))

    return part


def _page(given: tuple[Any, Any]) -> dict[str, Any]:
    """The page's fields from ``context.page`` and ``context.campaign``."""
    context = dict(zip(("page", "campaign"), given, strict=True))
    page = checks.an_object(context, "page", "context.")
    checks.case(page, PAGE, "context.page.")
    url, path, search = (checks.text(page, name, "context.page.") for name in ("url", "path", "search"))
    where = enrich.page(url, path, search)
    site = None if where.path is None else where.host or UNKNOWN_SITE
    if where.path is not None and site is not None:
        checks.key_length("the page's site and path", site, where.path)
    title = checks.text(page, "title", "context.page.")
    referrer = enrich.referrer(checks.text(page, "referrer", "context.page."), where.host)
    sent = checks.an_object(context, "campaign", "context.")
    campaign = enrich.campaign(
        {name: checks.text(sent, name, "context.campaign.") for name in _CAMPAIGN} if sent else None, where.raw_query
    )
    return {
        "site": site,
        "page_path": where.path,
        "page_query": where.query,
        "page_title": title,
        "referrer": referrer.url,
        "referrer_medium": referrer.medium,
        "referrer_source": referrer.source,
        "campaign_source": campaign.source,
        "campaign_medium": campaign.medium,
        "campaign_name": campaign.name,
        "campaign_term": campaign.term,
        "campaign_content": campaign.content,
        "click_id_type": campaign.click_id_type,
    }


def _client(given: tuple[Any, Any, Any]) -> dict[str, Any]:
    """The client's fields from ``userAgent``, ``ip`` and ``locale`` of the context."""
    context = dict(zip(("userAgent", "ip", "locale"), given, strict=True))
    user_agent = checks.text(context, "userAgent", "context.")
    client = enrich.user_agent(user_agent)
    address = enrich.address(checks.text(context, "ip", "context."))
    return {
        "user_agent": user_agent,
        "browser": client.browser,
        "os": client.os,
        "device_type": client.device_type,
        "is_bot": client.is_bot,
        "network": address.network,
        "country": address.country,
        "locale": checks.text(context, "locale", "context."),
    }


def _properties(given: dict[str, Any]) -> dict[str, Any]:
    """The fields that ``properties`` or ``traits`` has."""
    if not given:
        return {}
    where = "properties."
    fields: dict[str, Any] = {
        "product_id": checks.identifier(given, "product_id", where),
        "category": checks.text(given, "category", where),
        "price": checks.number(given, "price", where),
        "quantity": checks.whole_number(given, "quantity", where),
        "order_id": checks.identifier(given, "order_id", where),
        "revenue": checks.number(given, "revenue", where),
    }
    if fields["revenue"] is None:
        fields["revenue"] = checks.number(given, "total", where)
    fields["currency"] = checks.text(given, "currency", where)
    fields["search_query"] = checks.text(given, "query", where)
    if fields["product_id"] is not None:
        fields["product_name"] = checks.text(given, "name", where)
    fields["properties"] = orjson.dumps(given).decode()
    return fields


page = _maker("site", "click_id_type", _page)
"""From the JSON of ``[page, campaign]``, both of the context and as they came."""
client = _maker("user_agent", "locale", _client)
"""From the JSON of ``[userAgent, ip, locale]`` of the context, as they came."""
properties = _maker("product_id", "properties", _properties)
"""From the JSON of ``properties``, or else of ``traits``."""

FRESH = (page, client, properties)
KEPT = (lru_cache(_KEPT)(page), lru_cache(_KEPT)(client), lru_cache(_KEPT)(properties))
"""The same functions, remembering."""
NO_PROPERTIES = properties(b"{}")
