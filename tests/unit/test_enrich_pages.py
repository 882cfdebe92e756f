"""Pages, campaigns and addresses."""

import sys

import pytest

from clicktrail.enrich import Address, Campaign, Page, address, addresses, campaign, page, plain_url


def test_an_address_is_split_without_credentials_port_and_fragment() -> None:
    assert page("https://u:p@Shop.EXAMPLE:8443/a/b?q=red+shoes#top") == Page(
        "shop.example", "/a/b", "q=red+shoes", "q=red+shoes"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("https://shop.example", None, None), ("shop.example", "/", None)),
        (("https://shop.example/a?x=1", "/b", "?y=2"), ("shop.example", "/b", "y=2")),
        (("https://a.example/x#y", "/#/cart", None), ("a.example", "/#/cart", None)),
        ((None, "cart", "?step=2"), (None, "/cart", "step=2")),
        (("/cart?step=2", None, None), (None, "/cart", "step=2")),
        (("https://shop.example/login?next=http://a.example/x", None, None), ("shop.example", "/login", "next=http://a.example/x")),
        (("http://[::1]:80/x", None, None), ("::1", "/x", None)),
        (("http://[", None, None), (None, None, None)),
        ((None, None, None), (None, None, None)),
    ],
)  # fmt: skip
def test_the_senders_path_and_search_go_before_those_of_the_address(
    given: tuple[str | None, str | None, str | None], expected: tuple[str | None, ...]
) -> None:
    assert page(*given)[:3] == expected


@pytest.mark.parametrize(
    "personal",
    [
        "email=someone",
        "user_email=x",
        "who=someone%40mail.example",
        "who=someone@mail.example",
        "phone=123",
        "call=%2B49+30+1234567",
        "firstName=Ann",
        "name=Ann",
        "password=x",
        "access_token=1",
        "sid=1",
        "code=1",
        "t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0",
        "c=4111111111111111",
        "gclid=abc",
        "utm_source=x",
    ],
)
def test_a_parameter_that_may_be_personal_is_dropped(personal: str) -> None:
    assert page(f"https://a.example/?q=shoes&{personal}&page=2").query == "q=shoes&page=2"


@pytest.mark.parametrize(
    "harmless", ["q=running+shoes", "id=12345", "sort=price-asc", "color=red&size=42", "day=2026-11-21", "flag"]
)
def test_other_parameters_stay_as_they_are(harmless: str) -> None:
    assert page(f"https://a.example/?{harmless}").query == harmless


def test_a_stored_referrer_has_no_query_and_no_credentials() -> None:
    assert plain_url("https://ann:secret@Mail.Example/inbox?user=ann#1") == "https://mail.example/inbox"
    assert plain_url("http://[2001:DB8::1]:80/x") == "http://[2001:db8::1]/x"
    assert plain_url("") is None
    assert plain_url("http://") is None


def test_a_campaign_comes_from_the_context_and_else_from_the_query() -> None:
    query = page(
        "https://a.example/?utm_source=news&utm_campaign=spring%20sale&UTM_MEDIUM=email&fbclid=1&gclid=2"
    ).raw_query
    assert campaign(None, query) == Campaign("news", "email", "spring sale", None, None, "gclid")
    assert campaign({"source": "google", "name": "", "term": 7, "content": ["x"]}, "?" + query) == Campaign(
        "google", "email", "spring sale", "7", None, "gclid"
    )
    assert campaign({}, "") == Campaign(None, None, None, None, None, None)


def test_an_empty_campaign_parameter_says_nothing_and_a_long_one_is_cut() -> None:
    assert campaign(None, "utm_source=&utm_source=b&gclid=").source == "b"
    assert campaign(None, "gclid=").click_id_type is None
    assert campaign(None, "utm_source=" + "x" * 300).source == "x" * 255


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("8.8.8.8", Address("8.8.8.0/24", "US")),
        ("83.149.9.216", Address("83.149.9.0/24", "RU")),
        ("2001:4860:4860::8888", Address("2001:4860:4860::/48", "US")),
        ("::ffff:8.8.8.8", Address("8.8.8.0/24", "US")),
        ("8.8.8.8, 10.0.0.1", Address("8.8.8.0/24", "US")),
        ("192.168.7.9", Address("192.168.7.0/24", None)),
        ("fe80::1%eth0", Address("fe80::/48", None)),
        ("localhost", Address(None, None)),
        ("", Address(None, None)),
        (None, Address(None, None)),
    ],
)
def test_an_address_is_cut_and_its_country_named(ip: str | None, expected: Address) -> None:
    assert address(ip) == expected


def test_without_the_registry_package_there_is_no_country(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "iptocc", None)
    addresses._registry.cache_clear()
    try:
        assert address.__wrapped__("8.8.8.8") == Address("8.8.8.0/24", None)
    finally:
        addresses._registry.cache_clear()
