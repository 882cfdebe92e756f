"""Campaigns: what the sender says (``context.campaign``), else the page's address (``utm_*`` and click ids)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

LONGEST = 255
"""Characters of a campaign's field that are kept."""

CLICK_IDS: tuple[str, ...] = (
    "gclid",
    "gbraid",
    "wbraid",
    "dclid",
    "fbclid",
    "msclkid",
    "ttclid",
    "twclid",
    "li_fat_id",
    "yclid",
    "epik",
    "sccid",
    "rdt_cid",
    "irclickid",
)
"""Click ids by the name of their parameter; the first that an address has is its type. Their values are not kept."""

_PARAMETERS = {
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_campaign": "name",
    "utm_term": "term",
    "utm_content": "content",
}
_MARKS = ("utm_", *CLICK_IDS)


class Campaign(NamedTuple):
    """What brought the visitor here."""

    source: str | None
    medium: str | None
    name: str | None
    term: str | None
    content: str | None
    click_id_type: str | None


_NOTHING = Campaign(None, None, None, None, None, None)


def campaign(context_campaign: Mapping[str, Any] | None, query: str | None) -> Campaign:
    """The campaign of a page's event.

    Args:
        context_campaign: ``context.campaign`` as it came; a field that is no text or number counts as missing.
        query: the query of the page's address as it came, with or without its ``?``.
    """
    found = _from_query(query) if query else _NOTHING
    if not context_campaign or not isinstance(context_campaign, Mapping):
        return found
    return Campaign(
        _text(context_campaign.get("source")) or found.source,
        _text(context_campaign.get("medium")) or found.medium,
        _text(context_campaign.get("name")) or found.name,
        _text(context_campaign.get("term")) or found.term,
        _text(context_campaign.get("content")) or found.content,
        found.click_id_type,
    )


@lru_cache(maxsize=16_384)
def _from_query(query: str) -> Campaign:
    folded = query.lower()
    if not any(mark in folded for mark in _MARKS):
        return _NOTHING
    values: dict[str, str] = {}
    click_ids = set()
    for pair in query.removeprefix("?").split("&"):
        name, _, value = pair.partition("=")
        name = name.lower()
        text = _text(unquote_plus(value))
        if text and name in _PARAMETERS:
            values.setdefault(_PARAMETERS[name], text)
        elif text and name in CLICK_IDS:
            click_ids.add(name)
    click_id = next((name for name in CLICK_IDS if name in click_ids), None)
    return Campaign(
        values.get("source"),
        values.get("medium"),
        values.get("name"),
        values.get("term"),
        values.get("content"),
        click_id,
    )


def _text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip()[:LONGEST] or None
