r"""The access log of Apache and nginx ("combined", and "common" without its last two fields).

A request becomes a ``page`` event; its path is the logged one, untouched, its query is ``context.page.search``. A log
does not name its site, so that is an argument. The visitor is the logged-in user where the server knows one
(``userId``); else a digest of address and user agent (``anonymousId``): behind one address of an office or a phone
network are many people, and the user agent tells most of them apart; who visits with two browsers counts twice. The
address itself is in ``context.ip``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from clicktrail.replay.lines import Format, Line, Replayed, Unreadable, iso, message_id, text_lines, visitor_key

DEFAULT_SITE = "localhost"

_LINE = re.compile(
    r'(?P<address>\S+) \S+ (?P<user>.+?) \[(?P<time>[^\]]+)\] "(?P<request>(?:[^"\\]|\\.)*)" '
    r"(?P<status>\d{3}|-) (?P<bytes>\d+|-)"
    r'(?: "(?P<referrer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?(?: .*)?'
)
_REQUEST = re.compile(r"(?P<method>[A-Za-z-]+) (?P<target>\S.*?)(?: (?P<protocol>HTTP/[\d.]+))?")
_TIME = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def log_format(site: str = DEFAULT_SITE) -> Format:
    """The format for the log of ``site``: a host name, or an address that begins with http:// or https://."""
    base = site.rstrip("/") if "://" in site else f"http://{site.strip('/')}"

    def parse(line: Line, prefix: str) -> Iterator[Replayed]:
        yield _event(line, prefix, base)

    return Format("combined-log", parse, text_lines)


def _event(line: Line, prefix: str, base: str) -> Replayed:
    found = _LINE.fullmatch(line.content.decode("utf-8", "backslashreplace"))
    if not found:
        raise Unreadable("no line of a combined log")
    request = _REQUEST.fullmatch(found["request"])
    if not request:
        raise Unreadable(f"no request in it: {found['request'][:60]!r}")
    moment = _moment(found["time"])
    event: dict[str, Any] = {
        "type": "page",
        "messageId": message_id(prefix, line.number),
        "anonymousId": _anonymous(found["address"], found["agent"] or ""),
    }
    if found["user"] != "-":
        event["userId"] = found["user"]
    event |= {
        "timestamp": iso(moment),
        "context": _context(found, request["target"], base),
        "properties": _properties(found, request),
    }
    return Replayed(moment, visitor_key(event), event)


def _context(found: re.Match[str], target: str, base: str) -> dict[str, Any]:
    url = base + target if target.startswith("/") else target if "://" in target else base
    path, mark, query = target.partition("?")
    page = {"url": url, "path": path}
    if query:
        page["search"] = mark + query
    if (referrer := _said(found["referrer"])) is not None:
        page["referrer"] = referrer
    context: dict[str, Any] = {"page": page}
    if (agent := _said(found["agent"])) is not None:
        context["userAgent"] = agent
    if _is_address(found["address"]):
        context["ip"] = found["address"]
    return context | {"library": {"name": "clicktrail-replay"}}


def _properties(found: re.Match[str], request: re.Match[str]) -> dict[str, Any]:
    properties: dict[str, Any] = {"method": request["method"]}
    if request["protocol"]:
        properties["protocol"] = request["protocol"]
    if found["status"] != "-":
        properties["status"] = int(found["status"])
    if found["bytes"] != "-":
        properties["bytes"] = int(found["bytes"])
    return properties


def _said(field: str | None) -> str | None:
    """A quoted field, without the log's own escapes of quotation marks and backslashes."""
    return None if field in (None, "", "-") else re.sub(r'\\(["\\])', r"\1", str(field))


@lru_cache(maxsize=65_536)
def _anonymous(address: str, agent: str) -> str:
    return "log-" + hashlib.sha256(f"{address}\0{agent}".encode()).hexdigest()[:24]


@lru_cache(maxsize=65_536)
def _is_address(text: str) -> bool:
    """Whether it is an IP address: a server may log host names instead."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _moment(text: str) -> int:
    """``17/May/2015:10:05:03 +0000`` in ms since 1970, whatever the language of this machine."""
    found = _TIME.fullmatch(text)
    if not found:
        raise Unreadable(f"no time of a log: {text[:60]!r}")
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = found.groups()
    zone = timedelta(hours=int(zone_hours), minutes=int(zone_minutes)) * (-1 if sign == "-" else 1)
    try:
        when = datetime(
            int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=timezone(zone)
        )
    except ValueError:
        raise Unreadable(f"no time of a log: {text[:60]!r}") from None
    return int((when - _EPOCH).total_seconds()) * 1000
