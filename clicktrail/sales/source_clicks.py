"""Orders in the clickstream: ``Order Completed`` events of a day, from Cassandra. Off unless the settings name it.

Events are kept by visitor and day. Who was there on a day stands in ``visitors_by_day``; then the visitors' partitions
of that day are read by key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date
from typing import Any

from clicktrail.job.marks import SHARDS
from clicktrail.sales.records import RawLine, Source, as_text
from clicktrail.settings import Settings

_CHUNK = 2_000  # partitions read side by side
ORDER = "Order Completed"


def read_clicks(settings: Settings, day: date) -> Iterator[RawLine]:
    """One line for each product of each order; an order that lists none is one line of its revenue."""
    from cassandra.concurrent import execute_concurrent_with_args

    from clicktrail import store

    with store.connect(settings) as session:
        there = session.prepare("SELECT user_id FROM visitors_by_day WHERE day = ? AND shard = ?")
        visitors = sorted(row.user_id for shard in range(SHARDS) for row in session.execute(there, (day, shard)))
        query = session.prepare(
            "SELECT event_id, event_time, event_name, site, country, order_id, revenue, currency, properties "
            "FROM events_by_user_day WHERE user_id = ? AND day = ?"
        )
        for start in range(0, len(visitors), _CHUNK):
            keys = [(visitor, day) for visitor in visitors[start : start + _CHUNK]]
            for result in execute_concurrent_with_args(session, query, keys, concurrency=64, raise_on_first_error=True):
                for event in result.result_or_exc:
                    if event.event_name == ORDER:
                        yield from lines_of(day, event)


def lines_of(day: date, event: Any) -> Iterator[RawLine]:
    """The lines of one event of ``events_by_user_day``."""
    properties = json.loads(event.properties or "{}", parse_float=str)
    products = properties.get("products")
    listed = [product for product in products if isinstance(product, dict)] if isinstance(products, list) else []
    if not listed:
        listed = [
            {"product_id": "unlisted", "quantity": 1, "price": properties.get("revenue", properties.get("total"))}
        ]
    for number, product in enumerate(listed, start=1):
        yield RawLine(
            source=Source.CLICKSTREAM.value,
            place=f"event {event.event_id}",
            filed_under=day.isoformat(),
            order_id=event.order_id,
            line=str(number),
            kind="sale",
            sold_at=event.event_time.replace(tzinfo=UTC).isoformat(),
            product_id=as_text(product.get("product_id")),
            product_name=as_text(product.get("name")),
            category=as_text(product.get("category")),
            channel="web",
            country=event.country,
            currency=event.currency,
            quantity=as_text(product.get("quantity", 1)),
            unit_price=as_text(product.get("price")),
        )
