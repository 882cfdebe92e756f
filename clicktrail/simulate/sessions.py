"""One visit, as the events that a browser sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from urllib.parse import quote_plus

from clicktrail.simulate.clock import stamp
from clicktrail.simulate.shop import (
    CATEGORIES,
    ENTRIES,
    ENTRY_SUMS,
    PRODUCTS,
    SEARCHES,
    SITE,
    Entry,
    Product,
    Step,
    Walk,
    money,
)
from clicktrail.simulate.visitors import Visitor

Timed = tuple[int, bytes, bytes]
"""A moment (ms since 1970), the Kafka key, the event's JSON."""

_LOGGED_IN = 0.15
_SHIPPING = 495


class Session:
    """Writes the events of one visit, as JSON put together from parts: far faster than encoding each event."""

    def __init__(self, ids: str, start: int, pace: int, visitor: Visitor, rng: Random) -> None:
        """Begin a visit.

        Args:
            ids: what the ``messageId`` of each of its events begins with.
            start: when it begins, ms since 1970.
            pace: the longest wait between two pages, ms.
            visitor: who visits.
            rng: where chance comes from.
        """
        self._ids, self._now, self._pace, self._visitor, self._rng = ids, start, pace, visitor, rng
        self._number = 0
        self._page = ""
        self._url = ""
        self._seen = PRODUCTS[0]
        self._cart: list[Product] = []
        self._be(logged_in=not visitor.crawler and rng.random() < _LOGGED_IN)

    def events(self, walk: Walk) -> Iterator[Timed]:
        """All events of the visit, in the order of time."""
        (entry,) = self._rng.choices(ENTRIES, cum_weights=ENTRY_SUMS) if not self._visitor.crawler else (ENTRIES[0],)
        for step in walk.steps:
            yield from self._crawl(step) if self._visitor.crawler else self._walk(step, entry)
            entry = ENTRIES[0]

    def _be(self, logged_in: bool) -> None:
        visitor = self._visitor
        self._key = (visitor.user_id if logged_in else visitor.anonymous_id).encode()
        user = f',"userId":"{visitor.user_id}"' if logged_in else ""
        self._who = f'","anonymousId":"{visitor.anonymous_id}"{user},"timestamp":"'

    def _crawl(self, step: Step) -> Iterator[Timed]:
        for event in self._walk(step, ENTRIES[0]):
            yield event
            return  # a crawler runs no script: only its page call is there

    def _walk(self, step: Step, entry: Entry) -> Iterator[Timed]:
        rng = self._rng
        if step is Step.HOME:
            yield self._open("Home", "/", "Shop", entry)
        elif step is Step.SEARCH:
            words = rng.choice(SEARCHES)
            yield self._open("Search", "/search", f"Search: {words}", entry, "q=" + quote_plus(words))
            yield self._track("Products Searched", f'"query":{_text(words)}')
        elif step is Step.LIST:
            category = rng.choice(CATEGORIES)
            yield self._open("Category", "/category/" + category.lower(), category, entry)
            yield self._track("Product List Viewed", f'"list_id":"{category.lower()}","category":"{category}"')
        elif step is Step.VIEW:
            self._seen = PRODUCTS[int(len(PRODUCTS) * rng.random() ** 1.7)]
            yield self._open("Product", self._seen.path, self._seen.name, entry)
            yield self._track("Product Viewed", self._seen.members + self._currency())
        elif step is Step.ADD:
            self._cart.append(self._seen)
            yield self._track("Product Added", f'{self._seen.members},"quantity":1{self._currency()}')
        else:
            yield from self._buy(step)

    def _buy(self, step: Step) -> Iterator[Timed]:
        direct = ENTRIES[0]
        if step is Step.CART:
            yield self._open("Cart", "/cart", "Your cart", direct)
            yield self._track("Cart Viewed", f'"products":[{self._products()}]')
        elif step is Step.LOGIN:
            yield self._open("Login", "/login", "Log in", direct)
            self._be(logged_in=True)
            yield self._event(
                "identify", "", f',"traits":{{"newsletter":{"true" if self._rng.random() < 0.3 else "false"}}}', 300
            )
        elif step is Step.CHECKOUT:
            yield self._open("Checkout", "/checkout", "Checkout", direct)
            yield self._track("Checkout Started", self._order(0))
        elif step is Step.ORDER:
            yield self._open("Order", "/order/thanks", "Thank you", direct)
            yield self._track("Order Completed", self._order(_SHIPPING))

    def _order(self, shipping: int) -> str:
        value = sum(product.cents for product in self._cart)
        return (
            f'"order_id":"o-{self._ids[:8]}-{self._ids[-8:]}","total":{money(value + shipping)},'
            f'"revenue":{money(value)},"shipping":{money(shipping)}{self._currency()},"products":[{self._products()}]'
        )

    def _products(self) -> str:
        return ",".join(f'{{{product.members},"quantity":1}}' for product in self._cart)

    def _currency(self) -> str:
        return f',"currency":"{self._visitor.currency}"'

    def _open(self, name: str, path: str, title: str, entry: Entry, query: str = "") -> Timed:
        came_from = self._url or entry.referrer
        search = f"?{query}" if query else ""
        search += (f"&{entry.query[1:]}" if search else entry.query) if entry.query else ""
        self._url = SITE + path + search
        referrer = f'"referrer":"{came_from}",' if came_from else ""  # as SDKs do, what is empty is left out
        members = f'"search":"{search}",' if search else ""
        self._page = (
            f'"context":{{{entry.campaign}"page":{{"url":"{self._url}","path":"{path}",{referrer}{members}'
            f'"title":{_text(title)}}},{self._visitor.context}'
        )
        return self._event("page", f'"name":"{name}",', "", self._pace)

    def _track(self, event: str, properties: str) -> Timed:
        return self._event("track", f'"event":"{event}",', f',"properties":{{{properties}}}', 300)

    def _event(self, kind: str, name: str, rest: str, longest_wait: int) -> Timed:
        chance = self._rng.random()
        now = self._now = self._now + 1 + int(longest_wait * chance * chance)
        number = self._number = self._number + 1
        return (
            now,
            self._key,
            f'{{"type":"{kind}",{name}"messageId":"{self._ids}{number:04x}{self._who}{stamp(now)}",'
            f'"sentAt":"{stamp(now + 20 + int(900 * chance))}",{self._page}{rest}}}'.encode(),
        )


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
