"""Writes the sample shop's days into its three systems: a database, what the API serves, and CSV files of two stores.

They overlap and are dirty, as such systems are:

- The API also delivers some orders of the web shop; some of these copies are older than the database's, with a price
  that was too high, others newer, with a price that was lowered since.
- Click-and-collect orders of the Berlin store are in its file and in the database.
- Each system repeats some lines, leaves values out, and holds what cannot be: quantities of 0 or 990,000, negative
  prices, words for numbers, times that are none, currencies without a rate, orders of the shop's own tests.
- The database keeps times of Berlin, the stores their own (Berlin, New York), the API UTC.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from sqlalchemy import URL, Connection, create_engine, delete, insert

from clicktrail.sales.folders import Folders, write_atomically
from clicktrail.sales.shop import PRODUCTS, Product, Sold, sold_on
from clicktrail.sales.shop_names import DATABASE_ZONE
from clicktrail.sales.shop_tables import order_lines, orders, products, tables

log = logging.getLogger(__name__)

Values = dict[str, object]


@dataclass(frozen=True)
class Store:
    """How one store writes its files."""

    name: str
    zone: str
    country: str
    delimiter: str
    decimal: str
    time_format: str
    signs: bool
    """Whether a return is told by a negative quantity; else by the column ``type``."""


STORES = (
    Store("berlin", "Europe/Berlin", "DE", ";", ",", "%d.%m.%Y %H:%M:%S", False),
    Store("newyork", "America/New_York", "US", ",", ".", "%Y-%m-%d %H:%M:%S", True),
)
STORES_FILE = """\
# How each store writes its files NAME_YYYY-MM-DD.csv: the zone of its times, their format, delimiter, decimal sign.
[berlin]
time_zone = "Europe/Berlin"
time_format = "%d.%m.%Y %H:%M:%S"
delimiter = ";"
decimal = ","

[newyork]
time_zone = "America/New_York"
time_format = "%Y-%m-%d %H:%M:%S"
delimiter = ","
decimal = "."
"""
_COLUMNS = (
    "receipt",
    "position",
    "type",
    "sold_at",
    "sku",
    "item",
    "category",
    "quantity",
    "price",
    "currency",
    "country",
)


def write_shop(folders: Folders, first: date, last: date, seed: int, database: URL | None = None) -> int:
    """Write the UTC days from ``first`` to ``last`` (both included) into the three systems; again changes nothing.

    Args:
        folders: where the files go.
        first: the first day.
        last: the last day.
        seed: other seeds sell other things.
        database: the shop's database; SQLite in ``folders`` by default.

    Returns:
        Lines that were truly sold or came back, before copies and dirt.
    """
    folders.shop.mkdir(parents=True, exist_ok=True)
    engine = create_engine(database or URL.create("sqlite", database=str(folders.database)))
    try:
        tables.create_all(engine)
        count = 0
        with engine.begin() as connection:
            connection.execute(delete(products))
            connection.execute(insert(products), [_product(product) for product in PRODUCTS])
            for number in range((last - first).days + 1):
                day = first + timedelta(days=number)
                lines = sold_on(seed, day)
                count += len(lines)
                _write_database(connection, day, lines, seed)
                _write_api(folders.api, day, lines, seed)
    finally:
        engine.dispose()
    write_atomically(folders.drop / "stores.toml", STORES_FILE.encode())
    for store in STORES:
        _write_files(folders.drop, store, first, last, seed)
    log.info("the sample shop has %d lines from %s to %s", count, first, last)
    return count


def _stain(random: Random, values: Values, broken: Mapping[str, Sequence[object]]) -> Values:
    """The values as a careless system would give them: two in a hundred with something missing or wrong."""
    if random.random() >= 0.02:
        return values
    name = random.choice(sorted(broken))
    return {**values, name: random.choice(broken[name])}


def _repeat(random: Random, rows: list[Values]) -> list[Values]:
    """Fifteen in a thousand rows come twice."""
    return [copy for row in rows for copy in ([row, row] if random.random() < 0.015 else [row])]


# The database: bookings of the web shop, with click-and-collect of the Berlin store.


def _write_database(connection: Connection, day: date, lines: list[Sold], seed: int) -> None:
    random = Random(f"{seed}/{day}/database")
    mine = [line for line in lines if line.place == "web" or (line.place == "berlin" and collected(line))]
    bookings: list[Values] = []
    rows: list[Values] = []
    for line in mine:
        for _ in range(2 if random.random() < 0.012 else 1):  # some bookings were imported twice
            booking_id = f"{day}/{len(bookings):05d}"
            bookings.append(_booking(random, booking_id, line))
            rows.append({"booking_id": booking_id, **_booking_line(random, line)})
    for table in (order_lines, orders):
        connection.execute(delete(table).where(table.c.booking_id.like(f"{day}/%")))
    connection.execute(insert(orders), bookings)
    connection.execute(insert(order_lines), rows)


def _product(product: Product) -> Values:
    return {"product_id": product.id, "name": product.name, "category": product.category}


def _booking(random: Random, booking_id: str, line: Sold) -> Values:
    local = line.at.astimezone(ZoneInfo(DATABASE_ZONE)).replace(tzinfo=None)
    values: Values = {
        "booking_id": booking_id,
        "order_id": line.order_id,
        "kind": line.kind,
        "booked_at": local,
        "country": line.country,
        "currency": line.currency,
        "channel": line.channel,
        "updated_at": local + timedelta(minutes=5),
    }
    broken: Mapping[str, Sequence[object]] = {
        "currency": [None, "XTS"],
        "country": [None, ""],
        "channel": [None],
        "order_id": [f"TEST-{line.order_id}"],
    }
    return _stain(random, values, broken)


def _booking_line(random: Random, line: Sold) -> Values:
    values: Values = {
        "line": line.line,
        "product_id": line.product.id,
        "quantity": line.quantity,
        "unit_price_cents": int(line.unit_price * 100),
    }
    cents = int(line.unit_price * 100)
    return _stain(
        random, values, {"product_id": [None], "quantity": [None, 0, 990_000], "unit_price_cents": [None, -cents]}
    )


def collected(line: Sold) -> bool:
    """Whether a line of the Berlin store was ordered in the web shop and collected there."""
    return Random(f"{line.order_id}/collected").random() < 0.25


# The API: app and marketplace, with some orders of the web shop.


def _write_api(folder: Path, day: date, lines: list[Sold], seed: int) -> None:
    random = Random(f"{seed}/{day}/api")
    items = [_item(random, line) for line in lines if line.place in ("app", "marketplace")]
    for line in lines:
        if line.place == "web" and random.random() < 0.07:
            items.append(_item(random, line, random.choice((-6, 0, 25))))
    items.sort(key=lambda item: str(item["soldAt"]))
    content = json.dumps(_repeat(random, items), ensure_ascii=False, indent=0)
    write_atomically(folder / f"{day}.json", content.encode())


def _item(random: Random, line: Sold, newer: int = 0) -> Values:
    """A line as the API gives it; as a copy it is ``newer`` minutes newer than the database's, and then cheaper."""
    changed = line.at + timedelta(minutes=5 + newer)
    price = float(line.unit_price) - (newer > 0) + (newer < 0)
    values: Values = {
        "orderId": line.order_id,
        "position": line.line,
        "type": line.kind,
        "soldAt": _iso(line.at),
        "sku": line.product.id,
        "title": line.product.name.upper() if line.place == "marketplace" else line.product.name,
        "category": line.product.category,
        "channel": line.channel,
        "country": line.country,
        "currency": line.currency,
        "quantity": line.quantity,
        "unitPrice": round(price, 2),
        "updatedAt": _iso(changed),
    }
    broken: Mapping[str, Sequence[object]] = {
        "orderId": [None, f"test-{line.order_id}"],
        "soldAt": [None, "yesterday"],
        "sku": [None, ""],
        "category": [None],
        "country": [None, "Germany"],
        "currency": ["", "XTS"],
        "quantity": ["two", 0, 1.5],
        "unitPrice": [None, -price, "free"],
    }
    return _stain(random, values, broken)


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


# The files: one a store and local day.


def _write_files(folder: Path, store: Store, first: date, last: date, seed: int) -> None:
    """Write the files of all local days that the UTC days touch; each holds what is known of its local day."""
    days: dict[date, list[Sold]] = {}
    for number in range(-1, (last - first).days + 2):
        day = first + timedelta(days=number)
        for line in sold_on(seed, day):
            if line.place == store.name and day <= last:
                days.setdefault(line.at.astimezone(ZoneInfo(store.zone)).date(), []).append(line)
    for local_day, lines in days.items():
        if local_day >= first - timedelta(days=1):
            write_atomically(folder / f"{store.name}_{local_day}.csv", _file(store, local_day, lines, seed))


def _file(store: Store, day: date, lines: list[Sold], seed: int) -> bytes:
    output = io.StringIO()
    writer = csv.DictWriter(output, _COLUMNS, delimiter=store.delimiter, lineterminator="\r\n")
    writer.writeheader()
    for line in lines:
        random = Random(f"{seed}/{day}/{line.order_id}/{line.line}/{line.kind}")
        for row in _repeat(random, [_stain(random, _file_row(store, line), _broken_row(line))]):
            writer.writerow(row)
    return output.getvalue().encode("utf-8-sig")


def _file_row(store: Store, line: Sold) -> Values:
    back = line.kind == "return"
    return {
        "receipt": line.order_id,
        "position": line.line,
        "type": "" if store.signs else line.kind,
        "sold_at": line.at.astimezone(ZoneInfo(store.zone)).strftime(store.time_format),
        "sku": line.product.id,
        "item": line.product.name,
        "category": line.product.category,
        "quantity": -line.quantity if back and store.signs else line.quantity,
        "price": str(line.unit_price).replace(".", store.decimal),
        "currency": line.currency,
        "country": line.country,
    }


def _broken_row(line: Sold) -> Mapping[str, Sequence[object]]:
    return {
        "receipt": ["", f"TEST{line.order_id}"],
        "sold_at": ["", "99.99.2026 25:61"],
        "sku": [""],
        "quantity": ["", "one", 0],
        "price": ["", "n/a"],
        "currency": [""],
        "country": [""],
    }
