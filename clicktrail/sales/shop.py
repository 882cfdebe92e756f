"""The sample shop: what it sells on a day, as a function of a seed and the day.

It sells in a web shop, an app, on a marketplace and in two stores, in three currencies; weekends and the end of the
month are busier, some products are loved, some lines come back days later. :mod:`clicktrail.sales.shop_sources` writes
all that into the three systems, with the dirt that such systems have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from random import Random


@dataclass(frozen=True)
class Product:
    """One product; ``price`` in euros."""

    id: str
    name: str
    category: str
    price: Decimal


@dataclass(frozen=True)
class Sold:
    """One line of an order, or its return, as it truly was; ``unit_price`` in ``currency``."""

    order_id: str
    line: int
    kind: str
    at: datetime
    product: Product
    quantity: int
    unit_price: Decimal
    currency: str
    country: str
    channel: str
    place: str
    """``web``, ``app``, ``marketplace``, ``berlin`` or ``newyork``."""


_GOODS: dict[str, tuple[tuple[str, str], ...]] = {
    "Kitchen": (
        ("Enamel Kettle", "39.90"),
        ("Chef's Knife", "74.00"),
        ("Moka Pot", "29.50"),
        ("Café Mug", "12.90"),
        ("Cast-Iron Pan", "54.90"),
    ),
    "Outdoor": (
        ("Two-Person Tent", "189.00"),
        ("Trail Backpack", "119.00"),
        ("Head Torch", "34.90"),
        ("Water Bottle", "18.50"),
        ("Hammock", "49.00"),
    ),
    "Desk": (
        ("Fountain Pen", "45.00"),
        ("Dot-Grid Notebook", "14.90"),
        ("Desk Lamp", "69.00"),
        ("Laptop Stand", "59.90"),
        ("Cork Board", "24.90"),
    ),
    "Garden": (
        ("Pruning Shears", "32.00"),
        ("Watering Can", "27.90"),
        ("Herb Seeds", "4.50"),
        ("Bird Feeder", "22.90"),
    ),
    "Music": (
        ("Ukulele", "89.00"),
        ("Kalimba", "39.00"),
        ("Headphones", "129.00"),
        ("Metronome", "31.90"),
    ),
}
PRODUCTS = tuple(
    Product(f"{category[0]}{number:02d}", name, category, Decimal(price))
    for category, goods in _GOODS.items()
    for number, (name, price) in enumerate(goods, start=1)
)
_LOVED = tuple(accumulate(1.0 / (1 + (7 * index) % len(PRODUCTS)) ** 0.8 for index in range(len(PRODUCTS))))

_ORDERS = 170  # of an average day
_BUSY = (0.92, 0.88, 0.90, 0.97, 1.10, 1.28, 1.15)  # Monday to Sunday
_PLACES = ("web", "app", "marketplace", "berlin", "newyork")
_SHARES = (48, 20, 14, 10, 8)
_HOURS = {  # UTC
    "web": (6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 18, 19, 19, 20, 20, 21, 22, 23),
    "app": tuple(range(24)),
    "marketplace": tuple(range(24)),
    "berlin": (8, 9, 10, 11, 12, 13, 14, 15, 15, 16, 16, 17),
    "newyork": (0, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23),
}
_COUNTRIES = {
    "web": ("DE",) * 11 + ("AT", "AT", "NL", "NL", "FR", "FR", "GB", "GB", "GB", "US"),
    "app": ("DE",) * 7 + ("AT", "NL", "FR", "GB", "GB", "US", "US"),
    "marketplace": ("US",) * 5 + ("GB",) * 4 + ("DE", "DE", "FR"),
    "berlin": ("DE",),
    "newyork": ("US",),
}
_CURRENCIES = {"GB": "GBP", "US": "USD"}
_PRICE_FACTORS = {"EUR": Decimal(1), "GBP": Decimal("0.86"), "USD": Decimal("1.12")}
_RETURN_AFTER = (2, 5, 9)  # days
_RETURNED = 0.022  # of the lines, at each of these


def sold_on(seed: int, day: date) -> list[Sold]:
    """All that was sold and all that came back on a UTC day, in the order of time."""
    return sorted([*_sales(seed, day), *_returns(seed, day)], key=lambda line: (line.at, line.order_id, line.line))


@lru_cache(maxsize=64)
def _sales(seed: int, day: date) -> tuple[Sold, ...]:
    random = Random(f"{seed}/{day}/sales")
    pay_day = 1.12 if day.day >= 27 or day.day <= 2 else 1.0
    count = round(_ORDERS * _BUSY[day.weekday()] * pay_day * random.uniform(0.92, 1.08))
    return tuple(line for number in range(count) for line in _order(random, day, number))


def _order(random: Random, day: date, number: int) -> list[Sold]:
    place = random.choices(_PLACES, _SHARES)[0]
    country = random.choice(_COUNTRIES[place])
    currency = _CURRENCIES.get(country, "EUR")
    at = datetime(day.year, day.month, day.day, random.choice(_HOURS[place]), tzinfo=UTC)
    at += timedelta(seconds=random.randrange(3600))
    products = _choose(random, random.choice((1, 1, 1, 1, 2, 2, 3)))
    return [
        Sold(
            order_id=f"{place[0].upper()}{day:%y%m%d}-{number:04d}",
            line=line,
            kind="sale",
            at=at,
            product=product,
            quantity=random.choice((1, 1, 1, 1, 1, 2, 2, 3)),
            unit_price=_price(product, currency),
            currency=currency,
            country=country,
            channel="store" if place in ("berlin", "newyork") else place,
            place=place,
        )
        for line, product in enumerate(products, start=1)
    ]


def _choose(random: Random, count: int) -> list[Product]:
    chosen = random.choices(PRODUCTS, cum_weights=_LOVED, k=count)
    return list(dict.fromkeys(chosen))


def _price(product: Product, currency: str) -> Decimal:
    return (product.price * _PRICE_FACTORS[currency]).quantize(Decimal("0.1")).quantize(Decimal("0.01"))


def _returns(seed: int, day: date) -> list[Sold]:
    """Lines that were sold some days ago and come back now; a line does so once."""
    return [
        replace(sale, kind="return", at=sale.at + timedelta(days=days))
        for turn, days in enumerate(_RETURN_AFTER)
        for sale in _sales(seed, day - timedelta(days=days))
        if turn == int(Random(f"{seed}/{sale.order_id}/{sale.line}/return").random() / _RETURNED)
    ]
