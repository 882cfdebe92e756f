"""Referrers: medium and source by host."""

import tomllib
from importlib import resources

import pytest

from clicktrail.enrich import referrer


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://www.google.co.uk/search?q=x", ("search", "Google")),
        ("http://r.duckduckgo.com/l/", ("search", "DuckDuckGo")),
        ("https://t.co/abc", ("social", "X")),
        ("https://mail.google.com/mail/u/0", ("mail", "Gmail")),
        ("android-app://com.google.android.gm", ("mail", "Gmail")),
        ("https://gemini.google.com/app", ("ai_assistant", "Gemini")),
        ("https://chatgpt.com/", ("ai_assistant", "ChatGPT")),
        ("https://docs.google.com/document/d/1", ("other", "Google Docs")),
        ("https://www.shop.example/cart", ("internal", "www.shop.example")),
        ("https://blog.example/post", ("other", "blog.example")),
        ("https://notgoogle.com/", ("other", "notgoogle.com")),
        ("https://google.evil.example/", ("other", "google.evil.example")),
        ("", ("direct", None)),
        (None, ("direct", None)),
        ("not an address", ("other", None)),
    ],
)
def test_a_referrer_is_named(address: str | None, expected: tuple[str, str | None]) -> None:
    found = referrer(address, "shop.example")
    assert (found.medium, found.source) == expected


def test_its_address_is_kept_without_query() -> None:
    assert referrer("https://Mail.Google.com/u/0?q=ann#x", None).url == "https://mail.google.com/u/0"
    assert referrer("", None).url is None


def test_a_known_host_is_internal_on_its_own_pages() -> None:
    assert referrer("https://stackoverflow.com/q/1", "stackoverflow.com").medium == "internal"
    assert referrer("https://stackoverflow.com/q/1", None).medium == "social"


def test_no_host_stands_twice_in_the_table() -> None:
    table = tomllib.loads(resources.files("clicktrail.enrich").joinpath("referrers.toml").read_text(encoding="utf-8"))
    hosts = [host for services in table.values() for listed in services.values() for host in listed]
    assert len(hosts) == len(set(hosts)) > 100
    assert set(table) == {"search", "social", "mail", "ai_assistant", "other"}
    assert all(host == host.lower() for host in hosts)
