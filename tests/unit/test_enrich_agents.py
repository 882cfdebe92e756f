"""User agents: browser, system, device and crawlers."""

import pytest

from clicktrail.enrich import UserAgent, user_agent

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 "
    "Mobile/15E148 Safari/604.1"
)
IPAD = (
    "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 "
    "Safari/604.1"
)
ANDROID_TABLET = (
    "Mozilla/5.0 (Linux; Android 12; SM-X906C) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0 Safari/537.36"
)
OLD_EXPLORER = "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; SLCC2; Tablet PC 2.0)"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
FEEDBIN = "Feedbin - 1 subscribers"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CHROME, UserAgent("Chrome", "Windows", "desktop", False)),
        (IPHONE, UserAgent("Mobile Safari", "iOS", "mobile", False)),
        (IPAD, UserAgent("Mobile Safari", "iOS", "tablet", False)),
        (ANDROID_TABLET, UserAgent("Chrome", "Android", "tablet", False)),
        (OLD_EXPLORER, UserAgent("IE", "Windows", "desktop", False)),
        (GOOGLEBOT, UserAgent("Googlebot", "Other", "bot", True)),
        ("gibberish", UserAgent("Other", "Other", "other", False)),
    ],
)
def test_a_user_agent_is_taken_apart(text: str, expected: UserAgent) -> None:
    assert user_agent(text) == expected


def test_a_crawler_that_only_one_of_the_two_lists_names_is_a_crawler() -> None:
    assert user_agent(FEEDBIN).is_bot  # listed, but no spider to ua-parser
    assert user_agent("LumiBot 2.0").is_bot  # a spider to ua-parser, but not listed


@pytest.mark.parametrize("missing", [None, "", "   "])
def test_no_user_agent_says_nothing_and_is_no_crawler(missing: str | None) -> None:
    assert user_agent(missing) == UserAgent(None, None, None, False)


def test_a_distinct_user_agent_is_parsed_once() -> None:
    before = user_agent.cache_info().misses
    for _ in range(5):
        user_agent("once-only/1.0")
    assert user_agent.cache_info().misses == before + 1
