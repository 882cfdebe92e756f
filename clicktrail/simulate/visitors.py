"""The people and crawlers that visit: the same ones in every run of a seed."""

# ruff: noqa: E501 - a user agent stays in one piece
from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from uuid import UUID

_PEOPLE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 13; SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
)
_CRAWLERS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
)
_PLACES = (
    ("en-US", "USD", ("23.20.{}.{}", "66.249.{}.{}", "73.15.{}.{}")),
    ("en-GB", "GBP", ("81.2.{}.{}", "86.128.{}.{}")),
    ("de-DE", "EUR", ("84.112.{}.{}", "91.4.{}.{}")),
    ("fr-FR", "EUR", ("90.15.{}.{}", "109.190.{}.{}")),
    ("pl-PL", "EUR", ("83.8.{}.{}",)),
    ("ja-JP", "JPY", ("126.15.{}.{}",)),
    ("pt-BR", "BRL", ("177.32.{}.{}",)),
)
_CRAWLER_SHARE = 0.06
_MOST_KEPT = 200_000


@dataclass(frozen=True, slots=True)
class Visitor:
    """One visitor, with the parts of the JSON that never change for them."""

    anonymous_id: str
    user_id: str
    crawler: bool
    currency: str
    context: str
    """The end of ``context``: user agent, address, locale, as JSON members."""


class Visitors:
    """All visitors of a seed, made when they first come."""

    def __init__(self, seed: int, number: int) -> None:
        self._seed, self.number = seed, number
        self._known: dict[int, Visitor] = {}

    def get(self, index: int) -> Visitor:
        """The visitor with this number (from 0)."""
        if (visitor := self._known.get(index)) is None:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            visitor = self._known[index] = _visitor(Random(f"visitor {self._seed} {index}"), index)
        return visitor


def _visitor(rng: Random, index: int) -> Visitor:
    crawler = rng.random() < _CRAWLER_SHARE
    locale, currency, networks = rng.choice(_PLACES)
    context = {
        "userAgent": rng.choice(_CRAWLERS if crawler else _PEOPLE),
        "ip": rng.choice(networks).format(rng.randrange(256), rng.randrange(1, 255)),
        "locale": locale,
    }
    return Visitor(
        anonymous_id=str(UUID(int=rng.getrandbits(128), version=4)),
        user_id=f"customer-{index:07d}",
        crawler=crawler,
        currency=currency,
        context=json.dumps(context, separators=(",", ":"))[1:],
    )
