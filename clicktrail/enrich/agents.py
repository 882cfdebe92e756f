"""Browser, operating system, kind of device, and whether it is a crawler: from the user agent.

ua-parser's bundled patterns name browser and system; crawlers are who crawler-user-agents lists, or who ua-parser calls
a spider. One distinct user agent costs about a tenth of a millisecond, a known one a look-up.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ua_parser import Parser

LONGEST = 1024
"""Characters of a user agent that are looked at: the patterns' cost grows with the text, and nothing true is longer."""

OTHER = "Other"
"""Browser or system of a user agent that names none that is known."""

_DESKTOPS = frozenset({"Windows", "Mac OS X", "Chrome OS", "Linux", "Solaris", "FreeBSD", "OpenBSD", "NetBSD", "SunOS"})
_LINUXES = frozenset(
    {
        "Ubuntu",
        "Debian",
        "Fedora",
        "CentOS",
        "Red Hat",
        "SUSE",
        "Arch Linux",
        "Gentoo",
        "Linux Mint",
        "Slackware",
        "Mandriva",
    }
)
_PHONES = frozenset({"Windows Phone", "Windows Mobile", "BlackBerry OS", "Symbian OS", "Firefox OS", "KaiOS", "Bada"})
_TABLET_WORDS = ("iPad", "Tablet", "Kindle", "PlayBook", "Silk/")
_PHONE_WORDS = ("Mobi", "iPhone", "iPod", "Opera Mini", "Phone", "J2ME", "MIDP")
_TV_WORDS = (
    "SmartTV",
    "SMART-TV",
    "Smart TV",
    "AppleTV",
    "Apple TV",
    "CrKey",
    "Roku",
    "BRAVIA",
    "HbbTV",
    "GoogleTV",
    "AFT",
)


class UserAgent(NamedTuple):
    """What a user agent says; all ``None`` and no bot where there is none."""

    browser: str | None
    os: str | None
    device_type: str | None
    """``desktop``, ``mobile``, ``tablet``, ``bot`` or ``other`` (televisions, programs, the unknown)."""
    is_bot: bool


_NOTHING = UserAgent(None, None, None, False)


@lru_cache(maxsize=65_536)
def user_agent(text: str | None) -> UserAgent:
    """Take a user agent apart."""
    if not text or not text.strip():
        return _NOTHING
    text = text[:LONGEST]
    parts = _parser().parse(text)
    browser = parts.user_agent.family if parts.user_agent else OTHER
    system = parts.os.family if parts.os else OTHER
    device = parts.device.family if parts.device else ""
    is_bot = device == "Spider" or _listed_crawler(text)
    return UserAgent(browser, system, "bot" if is_bot else _device_type(text, system), is_bot)


def _device_type(text: str, system: str) -> str:
    if any(word in text for word in _TV_WORDS):
        return "other"
    windows_tablet = system == "Windows"  # old Internet Explorers on desktops say "Tablet PC 2.0"
    if not windows_tablet and (
        any(word in text for word in _TABLET_WORDS)
        or (system == "Android" and not any(w in text for w in _PHONE_WORDS))
    ):
        return "tablet"
    if system in _PHONES or any(word in text for word in _PHONE_WORDS):
        return "mobile"
    return "desktop" if system in _DESKTOPS or system in _LINUXES else "other"


def _parser() -> Parser:
    import ua_parser

    return ua_parser.parser  # built on first use, from the bundled patterns


def _listed_crawler(text: str) -> bool:
    from crawleruseragents import is_crawler

    return bool(is_crawler(text))
