"""A raw message as the few facts that the recount needs."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import ua_parser
from crawleruseragents import is_crawler
from iptocc import country_code

REFERRERS = Path(__file__).resolve().parents[3] / "clicktrail" / "enrich" / "referrers.toml"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLICK_IDS = ("gclid", "fbclid", "msclkid")


@dataclass(frozen=True)
class Flat:
    visitor: str
    ms: int
    id: str
    kind: str
    name: str | None
    claims: str | None
    site: str | None
    path: str | None
    campaign: tuple[str | None, str | None, str | None]
    click_id: str | None
    medium: str
    bot: bool
    agent: str | None
    country: str | None
    order: str | None
    revenue: float

    @property
    def when(self) -> datetime:
        return EPOCH + timedelta(milliseconds=self.ms)


def flat(message: bytes) -> Flat:
    raw = json.loads(message)
    context = raw.get("context") or {}
    page = context.get("page") or {}
    properties = raw.get("properties") or {}
    url = urlsplit(page.get("url") or "")
    path = page.get("path") or url.path or ("/" if url.hostname else None)
    query = dict(reversed(parse_qsl((page.get("search") or "").lstrip("?") or url.query)))
    given = context.get("campaign") or {}
    visitor = raw.get("userId") or raw["anonymousId"]
    claims = {"identify": raw.get("anonymousId"), "alias": raw.get("previousId")}.get(raw["type"])
    revenue = properties.get("revenue", properties.get("total"))
    return Flat(
        visitor=visitor,
        ms=(datetime.fromisoformat(raw["timestamp"]) - EPOCH) // timedelta(milliseconds=1),
        id=raw["messageId"],
        kind=raw["type"],
        name=raw.get("event"),
        claims=claims if claims != visitor else None,
        site=(url.hostname or "unknown") if path else None,
        path=path,
        campaign=(
            given.get("source") or query.get("utm_source") or None,
            given.get("medium") or query.get("utm_medium") or None,
            given.get("name") or query.get("utm_campaign") or None,
        ),
        click_id=next((name for name in CLICK_IDS if query.get(name)), None),
        medium=_medium(page.get("referrer"), url.hostname),
        bot=_bot(context.get("userAgent")),
        agent=context.get("userAgent"),
        country=_country(context.get("ip")),
        order=properties.get("order_id"),
        revenue=float(revenue or 0),
    )


@cache
def _bot(agent: str | None) -> bool:
    if not agent:
        return False
    device = ua_parser.parse_device(agent)
    return is_crawler(agent) or (device is not None and device.family == "Spider")


@cache
def _country(ip: str | None) -> str | None:
    return country_code(ip) if ip else None


@cache
def _hosts() -> dict[str, str]:
    table: dict[str, dict[str, Any]] = tomllib.loads(REFERRERS.read_text())
    return {host: medium for medium, services in table.items() for hosts in services.values() for host in hosts}


@cache
def _medium(referrer: str | None, own: str | None) -> str:
    """Medium by the longest listed ending of the referring host; ``name.*`` stands for one or two short labels more."""
    if not referrer:
        return "direct"
    host = urlsplit(referrer).hostname or ""
    if host and host.removeprefix("www.") == (own or "").removeprefix("www."):
        return "internal"
    while host:
        name, _, rest = host.partition(".")
        if host in _hosts():
            return _hosts()[host]
        short = rest and rest.count(".") <= 1 and all(len(label) <= 3 for label in rest.split("."))
        if short and f"{name}.*" in _hosts():
            return _hosts()[f"{name}.*"]
        host = rest
    return "other"
