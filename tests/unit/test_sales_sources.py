"""Reading a day from the three sources, as real as a test can have them: a server, a database, files."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import URL, insert

from clicktrail.errors import ClicktrailError
from clicktrail.sales.connections import airflow_connections
from clicktrail.sales.folders import Folders, api_token
from clicktrail.sales.records import RawLine, Source, read_raw, write_raw
from clicktrail.sales.shop_api import ShopApi
from clicktrail.sales.shop_tables import order_lines, orders, products, tables
from clicktrail.sales.source_api import SalesApi, read_api
from clicktrail.sales.source_clicks import lines_of
from clicktrail.sales.source_database import SalesDatabase, database_of, read_catalogue, read_database
from clicktrail.sales.source_files import read_files
from clicktrail.sales.sources import extract, names
from clicktrail.settings import Settings

DAY = date(2026, 10, 5)
STORES = """
[berlin]
time_zone = "Europe/Berlin"
time_format = "%d.%m.%Y %H:%M:%S"
delimiter = ";"
decimal = ","
"""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


def served(server: ThreadingHTTPServer) -> Iterator[str]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def shop_api(tmp_path: Path) -> Iterator[str]:
    items = [{"orderId": f"A-{number}", "unitPrice": 19.9, "quantity": 1} for number in range(120)]
    (tmp_path / "2026-10-05.json").write_text(json.dumps(items))
    yield from served(ShopApi(("127.0.0.1", 0), tmp_path, "secret"))


def test_the_api_is_read_page_after_page(shop_api: str) -> None:
    lines = list(read_api(SalesApi(shop_api, "secret"), DAY))
    assert [line.order_id for line in lines] == [f"A-{number}" for number in range(120)]
    assert lines[119].place == "2026-10-05 page 3 item 20"
    assert (lines[0].unit_price, lines[0].quantity, lines[0].currency) == ("19.9", "1", None)


def test_a_day_without_sales_is_empty(shop_api: str) -> None:
    assert list(read_api(SalesApi(shop_api, "secret"), date(2026, 10, 6))) == []


def test_a_wrong_token_is_said(shop_api: str) -> None:
    with pytest.raises(ClicktrailError, match="refuses the token"):
        list(read_api(SalesApi(shop_api, "wrong"), DAY))


Answer = tuple[int, dict[str, str], bytes]


def scripted(answers: list[Answer], seen: list[str]) -> ThreadingHTTPServer:
    """A server that gives these answers, one a request, the last one for ever."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def answering() -> Iterator[Callable[[list[Answer]], tuple[str, list[str]]]]:
    servers = []

    def start(answers: list[Answer]) -> tuple[str, list[str]]:
        seen: list[str] = []
        server = served(scripted(answers, seen))
        servers.append(server)
        return next(server), seen

    yield start
    for server in servers:
        next(server, None)


PAGE = json.dumps({"pages": 1, "items": [{"orderId": "A-1"}]}).encode()


def test_what_fails_for_a_moment_is_tried_again(answering: Any) -> None:
    url, seen = answering([(503, {}, b""), (429, {"Retry-After": "0"}, b""), (500, {}, b""), (200, {}, PAGE)])
    lines = list(read_api(SalesApi(url, "secret", backoff=0.01), DAY))
    assert [line.order_id for line in lines] == ["A-1"]
    assert seen == ["/v1/sales?day=2026-10-05&page=1"] * 4


def test_what_fails_for_good_is_said(answering: Any) -> None:
    url, seen = answering([(503, {}, b"closed for stocktaking")])
    with pytest.raises(ClicktrailError, match="503 for page 1: closed for stocktaking"):
        list(read_api(SalesApi(url, "secret", tries=3, backoff=0.01), DAY))
    assert len(seen) == 3


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"pages": 1}', b'{"pages": 1, "items": [1]}'])
def test_what_is_no_page_is_said(answering: Any, body: bytes) -> None:
    url, _ = answering([(200, {}, body)])
    with pytest.raises(ClicktrailError, match="gives no"):
        list(read_api(SalesApi(url, "secret"), DAY))


def test_an_api_that_is_away_is_said() -> None:
    with pytest.raises(ClicktrailError, match="does not answer after 2 tries"):
        list(read_api(SalesApi("http://127.0.0.1:9", "secret", tries=2, backoff=0.01), DAY))


def test_the_token_is_not_shown() -> None:
    assert "secret" not in repr(SalesApi("http://127.0.0.1:9", "secret"))


def test_the_database_is_read_with_its_zone(tmp_path: Path) -> None:
    database = SalesDatabase(URL.create("sqlite", database=str(tmp_path / "shop.db")), "Europe/Berlin")
    booked = {
        "before": datetime(2026, 10, 4, 23, 0),  # 21:00 UTC of the day before
        "margin": datetime(2026, 10, 5, 0, 30),
        "first": datetime(2026, 10, 5, 2, 0),
        "last": datetime(2026, 10, 6, 1, 59),
        "after": datetime(2026, 10, 6, 9, 0),
    }
    engine = database.engine()
    tables.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(products), [{"product_id": "K01", "name": "Kettle", "category": "Kitchen"}])
        for name, time in booked.items():
            connection.execute(insert(orders), [{"booking_id": name, "order_id": f"W-{name}", "booked_at": time}])
            row = {"booking_id": name, "line": 1, "product_id": "K01", "quantity": 2, "unit_price_cents": 1990}
            connection.execute(insert(order_lines), [row])
    engine.dispose()
    lines = list(read_database(database, DAY))
    assert [line.order_id for line in lines] == ["W-margin", "W-first", "W-last"]
    assert (lines[1].sold_at, lines[1].time_zone) == ("2026-10-05T02:00:00", "Europe/Berlin")
    assert (lines[1].unit_price, lines[1].quantity, lines[1].product_name) == ("19.9", "2", "Kettle")
    assert (lines[1].currency, lines[1].updated_at, lines[1].filed_under) == (None, None, "2026-10-05")
    assert read_catalogue(database) == {"K01": ("Kettle", "Kitchen")}


def test_connections_become_addresses() -> None:
    postgres = database_of("postgres", "db", 5432, "shop", "p@ss", "sales", {"time_zone": "Europe/Berlin"})
    assert postgres.url.render_as_string(hide_password=False) == "postgresql+psycopg2://shop:p%40ss@db:5432/sales"
    assert postgres.time_zone == "Europe/Berlin"
    assert str(database_of("sqlite", "/data/shop.db", None, None, None, None, {}).url) == "sqlite:////data/shop.db"
    other = database_of("generic", "db", None, None, None, "sales", {"driver": "mssql+pyodbc"})
    assert str(other.url) == "mssql+pyodbc://db/sales"
    with pytest.raises(ClicktrailError, match="Europe/Nowhere"):
        database_of("sqlite", "x", None, None, None, None, {"time_zone": "Europe/Nowhere"})


def test_files_of_the_days_around_are_read(tmp_path: Path) -> None:
    (tmp_path / "stores.toml").write_text(STORES)
    head = "receipt;position;type;sold_at;sku;item;category;quantity;price;currency;country\r\n"
    row = "B-{0};1;sale;{1}.10.2026 12:00:00;K01;Kettle;Kitchen;2;1.039,90;EUR;DE\r\n"
    for day in (3, 4, 5, 6, 7):
        text = head + row.format(day, f"{day:02d}")
        (tmp_path / f"berlin_2026-10-{day:02d}.csv").write_text(text, "utf-8-sig")
    (tmp_path / "paris_2026-10-05.csv").write_text(head + row)
    (tmp_path / "notes.csv").write_text("nothing")
    lines = list(read_files(tmp_path, DAY))
    assert [line.order_id for line in lines] == ["B-4", "B-5", "B-6"]
    assert lines[1] == RawLine(
        source="files",
        place="berlin_2026-10-05.csv line 2",
        filed_under="2026-10-05",
        order_id="B-5",
        line="1",
        kind="sale",
        sold_at="2026-10-05T12:00:00",
        time_zone="Europe/Berlin",
        product_id="K01",
        product_name="Kettle",
        category="Kitchen",
        channel="store",
        country="DE",
        currency="EUR",
        quantity="2",
        unit_price="1039.90",
    )


def test_a_short_or_odd_row_is_handed_on(tmp_path: Path) -> None:
    (tmp_path / "stores.toml").write_text(STORES)
    text = b"receipt;position;sold_at;quantity;price\nB-1;1;soon\nB-2;1;05.10.2026 12:00:00;1;\xff;too;many\n"
    (tmp_path / "berlin_2026-10-05.csv").write_bytes(text)
    first, second = read_files(tmp_path, DAY)
    assert (first.sold_at, first.quantity, first.unit_price) == ("soon", None, None)
    assert (second.order_id, second.unit_price) == ("B-2", "\ufffd")


def test_a_folder_without_its_stores_is_said(tmp_path: Path) -> None:
    with pytest.raises(ClicktrailError, match=r"stores\.toml must have"):
        list(read_files(tmp_path, DAY))
    with pytest.raises(ClicktrailError, match="no drop folder"):
        list(read_files(tmp_path / "away", DAY))


def test_orders_of_the_clickstream() -> None:
    goods = [{"product_id": "k-1", "name": "Kettle", "category": "Kitchen", "price": 39.9, "quantity": 2}, {"price": 1}]
    event = SimpleNamespace(
        event_id="e-1",
        event_time=datetime(2026, 10, 5, 12),
        order_id="o-1",
        country="DE",
        currency="EUR",
        properties=json.dumps({"products": goods, "revenue": 80.8}),
    )
    first, second = lines_of(DAY, event)
    assert (first.order_id, first.line, first.product_id) == ("o-1", "1", "k-1")
    assert (first.unit_price, first.quantity, first.channel) == ("39.9", "2", "web")
    assert first.sold_at == datetime(2026, 10, 5, 12, tzinfo=UTC).isoformat()
    assert (second.line, second.product_id, second.quantity) == ("2", None, "1")
    event.properties = json.dumps({"revenue": 12.5})
    (whole,) = lines_of(DAY, event)
    assert (whole.product_id, whole.quantity, whole.unit_price) == ("unlisted", "1", "12.5")


def test_sources_are_named_by_the_setting() -> None:
    assert names("files, database") == [Source.DATABASE, Source.FILES]
    for wrong in ("", "database,excel"):
        with pytest.raises(ClicktrailError, match="CLICKTRAIL_SALES_SOURCES"):
            names(wrong)


def test_half_a_day_is_no_day() -> None:
    def away(_day: date) -> list[RawLine]:
        raise ClicktrailError("away")

    line = RawLine("files", "x", "2026-10-05")
    assert extract(DAY, {Source.FILES: lambda day: [line]}).counts == {"files": 1}
    with pytest.raises(ClicktrailError):
        extract(DAY, {Source.FILES: lambda day: [line], Source.API: away})


def test_raw_lines_are_kept_as_they_are(tmp_path: Path) -> None:
    line = RawLine("api", "page 1", "2026-10-05", order_id="Ä\n1", quantity=None)
    assert write_raw(tmp_path / "raw.jsonl", [line, replace(line, order_id="2")]) == 2
    assert read_raw(tmp_path / "raw.jsonl") == [line, replace(line, order_id="2")]


def test_connections_of_the_embedded_stack(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, sales_api_port=18091, mail_port=12525)
    found = {name: json.loads(text) for name, text in airflow_connections(settings, {}).items()}
    assert sorted(found) == ["AIRFLOW_CONN_SALES_API", "AIRFLOW_CONN_SALES_DB", "AIRFLOW_CONN_SMTP_DEFAULT"]
    token = api_token(Folders.of(settings))
    assert found["AIRFLOW_CONN_SALES_API"]["password"] == token
    assert len(token) >= 32
    assert Folders.of(settings).token.stat().st_mode & 0o077 == 0
    assert found["AIRFLOW_CONN_SMTP_DEFAULT"]["port"] == 12525
    own = airflow_connections(settings, {"AIRFLOW_CONN_SALES_DB": "postgres://db"})
    assert "AIRFLOW_CONN_SALES_DB" not in own
