"""Referrers: what kind of place a visitor came from, and its name, by the host of the page before.

The hosts stand in ``referrers.toml`` beside this file.
"""

from __future__ import annotations

import tomllib
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

from clicktrail.enrich.pages import _split, plain_url

INTERNAL = "internal"
DIRECT = "direct"
OTHER = "other"
_LONGEST_ENDING = 3  # letters a label of "co.uk" has at most, behind "google."


class Referrer(NamedTuple):
    """Where a visitor came from."""

    url: str | None
    """Its address without credentials, query and fragment."""
    medium: str
    """``search``, ``social``, ``mail``, ``ai_assistant``, ``internal``, ``direct`` or ``other``."""
    source: str | None
    """Name of the service, else the referring host; ``None`` where direct."""


_DIRECT = Referrer(None, DIRECT, None)


@lru_cache(maxsize=65_536)
def referrer(address: str | None, page_host: str | None) -> Referrer:
    """Name the place that an address belongs to, for a page of ``page_host``."""
    if not address or not address.strip():
        return _DIRECT
    host = _split(address).host
    if host is None:
        return Referrer(plain_url(address), OTHER, None)
    if page_host and host.removeprefix("www.") == page_host.lower().removeprefix("www."):
        return Referrer(plain_url(address), INTERNAL, host)
    medium, source = _known(host) or (OTHER, host)
    return Referrer(plain_url(address), medium, source)


def _known(host: str) -> tuple[str, str] | None:
    """Medium and name of a listed service."""
    places = _places()
    labels = host.split(".")
    for start in range(len(labels)):
        found = places.get(".".join(labels[start:]))
        if found:
            return found
        ending = labels[start + 1 :]
        if ending and len(ending) <= 2 and all(len(label) <= _LONGEST_ENDING for label in ending):
            found = places.get(f"{labels[start]}.*")
            if found:
                return found
    return None


@cache
def _places() -> dict[str, tuple[str, str]]:
    """Host or ``name.*`` → place."""
    text = resources.files("clicktrail.enrich").joinpath("referrers.toml").read_text(encoding="utf-8")
    return {
        host: (medium, source)
        for medium, services in tomllib.loads(text).items()
        for source, hosts in services.items()
        for host in hosts
    }
