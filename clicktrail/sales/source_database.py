"""The sales database: bookings and their lines, through SQLAlchemy. The tables are in ``shop_tables.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import URL, Engine, create_engine, select

from clicktrail.errors import ClicktrailError
from clicktrail.sales.days import bounds
from clicktrail.sales.records import RawLine, Source, as_text
from clicktrail.sales.shop_tables import order_lines, orders, products

_MARGIN = timedelta(hours=2)  # for the hour that clocks repeat or leave out
_DRIVERS = {"postgres": "postgresql+psycopg2", "postgresql": "postgresql+psycopg2", "mysql": "mysql+pymysql"}


@dataclass(frozen=True)
class SalesDatabase:
    """Where it is, and the zone of the times in it (they carry none)."""

    url: URL
    time_zone: str = "UTC"

    def engine(self) -> Engine:
        """A new engine; dispose of it."""
        return create_engine(self.url)


def database_of(
    conn_type: str,
    host: str | None,
    port: int | None,
    login: str | None,
    password: str | None,
    schema: str | None,
    extra: Mapping[str, object],
) -> SalesDatabase:
    """The database of an Airflow connection.

    ``extra`` may name ``time_zone`` and ``driver`` (SQLAlchemy's, such as ``postgresql+psycopg2``). A SQLite
    connection gives the file as its host.
    """
    zone = str(extra.get("time_zone") or "UTC")
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError) as error:
        raise ClicktrailError(f"The sales database's connection names the time zone {zone!r}, which is none") from error
    if conn_type == "sqlite":
        return SalesDatabase(URL.create("sqlite", database=host or schema), zone)
    driver = str(extra.get("driver") or _DRIVERS.get(conn_type, conn_type))
    return SalesDatabase(URL.create(driver, login, password, host, port, schema), zone)


def read_database(database: SalesDatabase, day: date) -> Iterator[RawLine]:
    """All lines booked on the UTC day, with a margin around it, in the order of their time."""
    zone = ZoneInfo(database.time_zone)
    start, end = (
        (moment + margin).astimezone(zone).replace(tzinfo=None)
        for moment, margin in zip(bounds(day), (-_MARGIN, _MARGIN), strict=True)
    )
    query = (
        select(orders, order_lines, products.c.name, products.c.category)
        .join(order_lines, order_lines.c.booking_id == orders.c.booking_id)
        .outerjoin(products, products.c.product_id == order_lines.c.product_id)
        .where(orders.c.booked_at >= start, orders.c.booked_at < end)
        .order_by(orders.c.booked_at, orders.c.booking_id, order_lines.c.id)
    )
    engine = database.engine()
    try:
        with engine.connect() as connection:
            for row in connection.execute(query).mappings():
                cents = row[order_lines.c.unit_price_cents]
                yield RawLine(
                    source=Source.DATABASE.value,
                    place=f"booking {row[orders.c.booking_id]}",
                    filed_under=row[orders.c.booked_at].replace(tzinfo=zone).astimezone(UTC).date().isoformat(),
                    order_id=as_text(row[orders.c.order_id]),
                    line=as_text(row[order_lines.c.line]),
                    kind=as_text(row[orders.c.kind]),
                    sold_at=row[orders.c.booked_at].isoformat(),
                    time_zone=database.time_zone,
                    product_id=as_text(row[order_lines.c.product_id]),
                    product_name=as_text(row[products.c.name]),
                    category=as_text(row[products.c.category]),
                    channel=as_text(row[orders.c.channel]),
                    country=as_text(row[orders.c.country]),
                    currency=as_text(row[orders.c.currency]),
                    quantity=as_text(row[order_lines.c.quantity]),
                    unit_price=None if cents is None else str(Decimal(cents) / 100),
                    updated_at=row[orders.c.updated_at].isoformat() if row[orders.c.updated_at] else None,
                )
    finally:
        engine.dispose()


def read_catalogue(database: SalesDatabase) -> dict[str, tuple[str, str]]:
    """Product to (name, category)."""
    engine = database.engine()
    try:
        with engine.connect() as connection:
            rows = connection.execute(select(products).order_by(products.c.product_id)).all()
            return {row.product_id: (row.name, row.category) for row in rows}
    finally:
        engine.dispose()
