"""The tables of the sales database that the pipeline reads; a shop of another shape offers them as views."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table

tables = MetaData()

products = Table(
    "products",
    tables,
    Column("product_id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("category", String(100), nullable=False),
)

orders = Table(
    "orders",
    tables,
    Column("booking_id", String(40), primary_key=True),
    Column("order_id", String(40)),
    Column("kind", String(10)),  # sale or return
    Column("booked_at", DateTime, nullable=False, index=True),  # in the zone that the connection names
    Column("country", String(2)),
    Column("currency", String(3)),
    Column("channel", String(20)),
    Column("updated_at", DateTime),
)

order_lines = Table(
    "order_lines",
    tables,
    Column("id", Integer, primary_key=True),
    Column("booking_id", String(40), nullable=False, index=True),
    Column("line", Integer),
    Column("product_id", String(40)),
    Column("quantity", Integer),
    Column("unit_price_cents", Integer),  # of the order's currency
)
