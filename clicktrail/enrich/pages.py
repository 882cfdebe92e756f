"""Pages: an address split into host, path and a query without personal data.

A query parameter is dropped where its name says that it holds something personal or secret, or where its value looks
like an e-mail address, a telephone or card number, or a token. Campaign parameters and click ids are dropped too: they
have fields of their own. What stays keeps its order and its spelling. Fragments, user names and ports go.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_plus

from clicktrail.enrich.campaigns import CLICK_IDS

LONGEST_HOST = 253
LONGEST_QUERY = 2_048
"""Characters of a query that are kept, cut between two parameters."""

_PERSONAL = re.compile(
    r"e?-?mail|phone|mobile|\btel\b|first.?name|last.?name|full.?name|sur.?name|user.?(name|id)?$|^name$|login|nick|"
    r"pass|pwd|token|secret|\bauth|oauth|signature|\bsig$|session|\bsid$|jwt|api.?key|^key$|^code$|otp|^state$|nonce|"
    r"address|street|zip|postal|birth|\bdob$|iban|account|card|cvv|ssn|\bip$|\blat|\blon|\blng|^_ga|^_gl|^mc_eid|^hsenc",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"(?=[^\s]*\d)(?=[^\s]*[A-Za-z])[A-Za-z0-9_\-.~+/=]{20,}|\+?(?:[\s().-]*\d){9,}|.*@.*", re.DOTALL)
_DROPPED = frozenset({*CLICK_IDS, "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id"})


class Page(NamedTuple):
    """Where an event happened."""

    host: str | None
    """Lower case, without user, port and trailing dot; ``None`` where the address names none."""
    path: str | None
    """Begins with ``/``; ``None`` where neither an address nor a path came."""
    query: str | None
    """What may be kept of the query, without ``?``; ``None`` where nothing is left."""
    raw_query: str
    """The query as it came, for :func:`clicktrail.enrich.campaign`; not to be stored. Empty where there is none."""


class _Parts(NamedTuple):
    host: str | None
    path: str
    query: str


_NOWHERE = _Parts(None, "", "")


@lru_cache(maxsize=65_536)
def page(url: str | None, path: str | None = None, search: str | None = None) -> Page:
    """The page of ``context.page``: ``path`` and ``search`` go before those of the address."""
    parts = _split(url)
    own = _own_path(path)
    found = own.path or parts.path
    if not found and parts.host:
        found = "/"
    query = _bare(search) or parts.query or own.query
    return Page(parts.host, _rooted(found), _without_personal(query) if query else None, query)


@lru_cache(maxsize=16_384)
def plain_url(url: str | None) -> str | None:
    """An address without its scheme's credentials, query and fragment, to be stored; ``None`` where there is none."""
    if not url or not url.strip():
        return None
    parts = _split(url)
    scheme, mark, _ = url.strip().partition("://")
    if parts.host is None:
        return None if mark else parts.path or None
    host = f"[{parts.host}]" if ":" in parts.host else parts.host
    return f"{scheme.lower()}://{host}{parts.path}" if mark else f"//{host}{parts.path}"


@lru_cache(maxsize=16_384)
def _split(url: str | None) -> _Parts:
    """Split without ever failing, unlike urllib's."""
    if not url:
        return _NOWHERE
    text = url.strip()
    head, mark, rest = text.partition("://")
    if text.startswith("//"):
        rest = text[2:]
    elif not mark or re.search(r"[/?#]", head):
        return _split_path(text)
    end = re.search(r"[/?#]", rest)
    authority, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    return _split_path(tail)._replace(host=_host(authority))


def _own_path(path: str | None) -> _Parts:
    """The sender's path as it is, but for a query; a ``#`` in it is a route or a logged request's, not a fragment."""
    if not path or not path.startswith("/") or path.startswith("//"):
        return _split(path)
    before, _, query = path.partition("?")
    return _Parts(None, before, query)


def _split_path(text: str) -> _Parts:
    before, _, _ = text.strip().partition("#")
    path, _, query = before.partition("?")
    return _Parts(None, path, query)


def _host(authority: str) -> str | None:
    host = authority.rpartition("@")[2]
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    host = host.lower().strip(".")
    usable = 0 < len(host) <= LONGEST_HOST and host.isprintable() and " " not in host
    return host if usable else None


def _rooted(path: str) -> str | None:
    if not path:
        return None
    return path if path.startswith("/") else "/" + path


def _bare(search: str | None) -> str:
    return search.strip().removeprefix("?").partition("#")[0] if search else ""


def _without_personal(query: str) -> str | None:
    kept: list[str] = []
    length = 0
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        length += len(pair) + 1
        if length > LONGEST_QUERY:
            break
        if pair and not _is_personal(unquote_plus(name), unquote_plus(value)):
            kept.append(pair)
    return "&".join(kept) or None


def _is_personal(name: str, value: str) -> bool:
    if name.lower() in _DROPPED or _PERSONAL.search(name):
        return True
    return any(_TOKEN.fullmatch(text.strip()) is not None for text in (name, value) if text)
