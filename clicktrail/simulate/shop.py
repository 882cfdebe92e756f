"""The shop that visitors walk through: its products, the ways into it, and the walks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate
from random import Random
from urllib.parse import quote, quote_plus

SITE = "https://shop.example"


@dataclass(frozen=True, slots=True)
class Product:
    """One product; ``members`` is its JSON without braces, as the spec's e-commerce events carry it."""

    id: str
    name: str
    category: str
    path: str
    cents: int
    members: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A way into the shop: where the visitor came from, and what the address of the first page carries."""

    referrer: str
    query: str
    campaign: str
    """``context.campaign`` as a JSON member with a comma behind it, or nothing."""


class Step(IntEnum):
    """What a visitor does next."""

    HOME = 0
    SEARCH = 1
    LIST = 2
    VIEW = 3
    ADD = 4
    CART = 5
    LOGIN = 6
    CHECKOUT = 7
    ORDER = 8


EVENTS_OF_STEP = {
    Step.HOME: 1,
    Step.SEARCH: 2,
    Step.LIST: 2,
    Step.VIEW: 2,
    Step.ADD: 1,
    Step.CART: 2,
    Step.LOGIN: 2,
    Step.CHECKOUT: 2,
    Step.ORDER: 2,
}
"""A page call, and a track or identify call where the spec has one for it; an Added Product is a track call alone."""

LONGEST_WALK = 18
"""Steps; bounds how long a session can last."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What one session does, in order, and how many events that makes."""

    steps: tuple[Step, ...]
    events: int


_GOODS = {
    "Kitchen": ("Enamel Kettle", "Chef's Knife", "Moka Pot", "Café Mug", "Cutting Board", "Cast-Iron Pan", "Apron"),
    "Outdoor": ("Two-Person Tent", "Trail Backpack", "Camping Stove", "Head Torch", "Water Bottle", "Hammock"),
    "Desk": ("Fountain Pen", "Dot-Grid Notebook", "Desk Lamp", "Letter Tray", "Laptop Stand", "Cork Board"),
    "Garden": ("Pruning Shears", "Watering Can", "Herb Seeds", "Bird Feeder", "Garden Gloves", "Rain Gauge"),
    "Music": ("Ukulele", "Kalimba", "Tuning Fork", "Vinyl Cleaner", "Headphones", "Metronome"),
}
SEARCHES = (
    "kettle",
    "gift for mum",
    "tent 2 person",
    "notebook",
    "headphones wireless",
    "café",
    "pen & ink",
    "seeds",
    "lamp",
)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _products() -> tuple[Product, ...]:
    rng = Random("products")
    made: list[Product] = []
    for category, names in _GOODS.items():
        for name in names:
            number, cents = f"p{len(made) + 1001}", rng.randrange(4, 180) * 100 + 95
            path = "/product/" + quote(name.lower().replace(" ", "-").replace("'", ""))
            described = {"product_id": number, "sku": f"SKU-{number[1:]}", "name": name, "category": category}
            members = _json(described)[1:-1] + f',"price":{money(cents)}'
            made.append(Product(number, name, category, path, cents, members))
    return tuple(made)


def money(cents: int) -> str:
    """An amount as a JSON number: 1995 is ``19.95``."""
    return f"{cents // 100}.{cents % 100:02d}"


def _campaign(source: str, medium: str, name: str, term: str = "", click_id: str = "", referrer: str = "") -> Entry:
    parts = {"source": source, "medium": medium, "name": name, "term": term}
    given = {key: value for key, value in parts.items() if value}
    utm = {"source": "utm_source", "medium": "utm_medium", "name": "utm_campaign", "term": "utm_term"}
    query = "&".join(f"{utm[key]}={quote_plus(value)}" for key, value in given.items())
    return Entry(referrer, "?" + query + click_id, f'"campaign":{_json(given)},')


_ENTRIES: tuple[tuple[int, Entry], ...] = (
    (300, Entry("", "", "")),
    (170, Entry("https://www.google.com/", "", "")),
    (40, Entry("https://www.bing.com/", "", "")),
    (30, Entry("https://duckduckgo.com/", "", "")),
    (70, _campaign("newsletter", "email", "november-deals")),
    (80, _campaign("google", "cpc", "brand", "enamel kettle", "&gclid=Cj0KCQiA", "https://www.google.com/")),
    (50, _campaign("facebook", "paid_social", "autumn-camping", "", "&fbclid=IwAR2x", "https://www.facebook.com/")),
    (40, Entry("https://www.instagram.com/", "", "")),
    (30, Entry("https://www.reddit.com/r/BuyItForLife/", "", "")),
    (60, Entry("https://blog.example.org/ten-kettles-compared/", "", "")),
    (30, Entry("https://news.example.net/gift-guide", "", "")),
    (45, _campaign("chatgpt.com", "referral", "", referrer="https://chatgpt.com/")),
    (20, Entry("https://www.perplexity.ai/", "", "")),
    (15, Entry("https://claude.ai/", "", "")),
    (10, Entry("https://gemini.google.com/", "", "")),
    (10, Entry("https://copilot.microsoft.com/", "", "")),
)
PRODUCTS = _products()
CATEGORIES = tuple(_GOODS)
ENTRIES = tuple(entry for _, entry in _ENTRIES)
ENTRY_SUMS = tuple(accumulate(weight for weight, _ in _ENTRIES))

Choices = dict[Step, tuple[tuple[Step, int], ...]]

# From each step where visitors go next, in percent; what is left to 100 leaves.
_NEXT: Choices = {
    Step.HOME: ((Step.SEARCH, 25), (Step.LIST, 30), (Step.VIEW, 15)),
    Step.SEARCH: ((Step.VIEW, 50), (Step.SEARCH, 15), (Step.LIST, 5)),
    Step.LIST: ((Step.VIEW, 52), (Step.LIST, 13), (Step.SEARCH, 5)),
    Step.VIEW: ((Step.ADD, 20), (Step.VIEW, 25), (Step.LIST, 10), (Step.SEARCH, 7)),
    Step.ADD: ((Step.VIEW, 28), (Step.CART, 47)),
    Step.CART: ((Step.LOGIN, 25), (Step.CHECKOUT, 30), (Step.VIEW, 10)),
    Step.LOGIN: ((Step.CHECKOUT, 85),),
    Step.CHECKOUT: ((Step.ORDER, 62),),
    Step.ORDER: (),
}
_FIRST = ((Step.HOME, 45), (Step.VIEW, 30), (Step.LIST, 15), (Step.SEARCH, 10))
_NEXT_OF_CRAWLER: Choices = {step: ((Step.VIEW, 50), (Step.LIST, 25), (Step.HOME, 8)) for step in Step}


def _pick(rng: Random, choices: tuple[tuple[Step, int], ...]) -> Step | None:
    point = rng.random() * 100
    for step, weight in choices:
        point -= weight
        if point < 0:
            return step
    return None


def _walks(name: str, following: Choices, crawler: bool) -> tuple[Walk, ...]:
    """2,000 walks that stand for all: drawing one of them is one random number a session."""
    rng = Random(name)
    made: list[Walk] = []
    for _ in range(2000):
        steps: list[Step] = []
        step = _pick(rng, _FIRST)
        while step is not None and len(steps) < LONGEST_WALK:
            steps.append(step)
            step = _pick(rng, following[step])
        made.append(Walk(tuple(steps), len(steps) if crawler else sum(EVENTS_OF_STEP[step] for step in steps)))
    return tuple(made)


WALKS = _walks("people", _NEXT, crawler=False)
CRAWLER_WALKS = _walks("crawlers", _NEXT_OF_CRAWLER, crawler=True)
