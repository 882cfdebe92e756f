"""Referrers: medium and source by host."""

import tomllib
from importlib import resources

import pytest

from clicktrail.enrich import Referrer, referrer


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://www.google.co.uk/search?q=x", Referrer("search", "Google")),
        ("http://r.duckduckgo.com/l/", Referrer("search", "DuckDuckGo")),
        ("https://t.co/abc", Referrer("social", "X")),
        ("https://mail.google.com/mail/u/0", Referrer("mail", "Gmail")),
        ("android-app://com.google.android.gm", Referrer("mail", "Gmail")),
        ("https://gemini.google.com/app", Referrer("ai_assistant", "Gemini")),
        ("https://chatgpt.com/", Referrer("ai_assistant", "ChatGPT")),
        ("https://docs.google.com/document/d/1", Referrer("other", "Google Docs")),
        ("https://www.shop.example/cart", Referrer("internal", "www.shop.example")),
        ("https://blog.example/post", Referrer("other", "blog.example")),
        ("https://notgoogle.com/", Referrer("other", "notgoogle.com")),
        ("https://google.evil.example/", Referrer("other", "google.evil.example")),
        ("", Referrer("direct", None)),
        (None, Referrer("direct", None)),
        ("not an address", Referrer("other", None)),
    ],
)
def test_a_referrer_is_named(address: str | None, expected: Referrer) -> None:
    assert referrer(address, "shop.example") == expected


def test_a_known_host_is_internal_on_its_own_pages() -> None:
    assert referrer("https://stackoverflow.com/q/1", "stackoverflow.com").medium == "internal"
    assert referrer("https://stackoverflow.com/q/1", None).medium == "social"


def test_no_host_stands_twice_in_the_table() -> None:
    table = tomllib.loads(resources.files("clicktrail.enrich").joinpath("referrers.toml").read_text(encoding="utf-8"))
    hosts = [host for services in table.values() for listed in services.values() for host in listed]
    assert len(hosts) == len(set(hosts)) > 100
    assert set(table) == {"search", "social", "mail", "ai_assistant", "other"}
    assert all(host == host.lower() for host in hosts)
