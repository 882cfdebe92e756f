"""The daily sales in the embedded Airflow, right to the cent by a recount that shares no code with the pipeline."""

from __future__ import annotations

import csv
import email
import email.policy
import io
import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from fractions import Fraction
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from clicktrail import store
from clicktrail.sales import backfill
from clicktrail.sales.connections import airflow_connections
from clicktrail.sales.folders import Folders, api_token
from clicktrail.sales.pipeline import Shops, extract_day, load_day, transform_day
from clicktrail.sales.shop_sources import write_shop
from clicktrail.sales.source_api import SalesApi
from clicktrail.sales.source_database import database_of
from clicktrail.settings import Settings
from clicktrail.workflow.airflow_api import DONE, AirflowApi
from tests.integration.support import wait_for

pytestmark = pytest.mark.integration

DAG = "daily_sales_pipeline"
FIRST, LAST = date(2025, 10, 20), date(2025, 10, 29)  # Berlin's clocks go back on the 26th
SEED = 11
RATES = {"EUR": Fraction(1), "GBP": Fraction("1.165"), "USD": Fraction("0.92")}
Line = dict[str, Any]


@pytest.fixture(scope="module")
def shop(airflow_stack: Settings) -> Settings:
    """The embedded stack, whose shop also sold things in the autumn of 2025."""
    write_shop(Folders.of(airflow_stack), FIRST, LAST, SEED)
    return airflow_stack


def test_a_triggered_day_is_right_to_the_cent_and_mailed(shop: Settings) -> None:
    day = date(2025, 10, 28)
    api = AirflowApi(shop)
    results = run(api, {"day": str(day)})
    check_day(shop, day)

    expected = Recount(shop, day)
    assert results["transform_data"]["rejected"] == sum(expected.rejected.values())
    assert results["transform_data"]["sold"] == len(expected.sold)
    assert len(json.dumps(results)) < 4_000  # XCom carries paths and counts

    mail, pdf = mail_about(shop, day)
    revenue = f"€{expected.net() / 100:,.2f}"
    assert mail["To"] == "sales@example.com"
    assert revenue in mail["Subject"]
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    text = text_of(pdf)
    for shown in (revenue, f"{sum(expected.rejected.values())} of {expected.read} lines read"):
        assert shown in html
        assert shown in text
    assert "Tuesday, 28 October 2025" in text


def test_a_backfill_of_a_week_gives_seven_right_days(shop: Settings) -> None:
    """Seven days in one backfill of Airflow; again, one as a cleared run, all by the tasks' functions: no change."""
    api = AirflowApi(shop)
    days = [date(2025, 10, 21) + timedelta(days=number) for number in range(7)]
    runs = backfill.start(api, days[0], days[-1], datetime.now(UTC).date())
    assert list(runs) == days
    for run_id in runs.values():
        wait_green(api, run_id)
    assert len(api.get("backfills", dag_id=DAG)["backfills"]) == 1
    for day in days:
        check_day(shop, day)
    whole = dump(shop, days)
    assert [row[0] for row in whole["sales_by_day"]] == days

    clocks_went_back = runs[date(2025, 10, 26)]
    api.clear(DAG, clocks_went_back, ["extract_data"])
    wait_green(api, clocks_went_back)
    assert {task.try_number for task in api.tasks(DAG, clocks_went_back).values()} == {2}
    for day in days:
        by_hand(shop, day)
    assert dump(shop, days) == whole


def test_orders_of_the_clickstream_are_a_fourth_source(pipeline: Settings, tmp_path: Path) -> None:
    day = date(2025, 10, 28)
    goods = [{"product_id": "k-1", "price": 19.9, "quantity": 2}, {"product_id": "k-2", "price": 0.35, "quantity": 1}]
    events = [
        ("ada", day, "Order Completed", "o-1", goods),
        ("ada", day, "Product Viewed", None, []),
        ("bob", day, "Order Completed", "o-2", goods[:1]),
        ("bob", day + timedelta(days=1), "Order Completed", "o-3", goods),
        ("eve", day - timedelta(days=1), "Order Completed", "o-4", goods),
    ]
    with store.connect(pipeline) as session:
        for number, (user, on, name, order, products) in enumerate(events):
            at = datetime(on.year, on.month, on.day, 12, number)
            there = "INSERT INTO visitors_by_day (day, shard, user_id, newest) VALUES (%s, %s, %s, %s)"
            session.execute(there, (on, 7, user, at))
            session.execute(
                "INSERT INTO events_by_user_day (user_id, day, event_time, event_id, event_name, order_id, currency, "
                "country, properties) VALUES (%s, %s, %s, %s, %s, %s, 'USD', 'US', %s)",
                (user, on, at, f"e-{number}", name, order, json.dumps({"products": products})),
            )
    settings = pipeline.with_changes(sales_dir=str(tmp_path), sales_sources="clickstream")
    extracted = extract_day(settings, Shops(None, None), day)
    assert extracted["lines"] == {"clickstream": 3}
    load_day(settings, transform_day(settings, extracted))
    lines = query(settings, "SELECT order_id, product_id, quantity, net_eur FROM sales_lines ORDER BY 1, 2")
    assert [(*line[:3], str(line[3])) for line in lines] == [
        ("o-1", "k-1", 2, "36.6200"),  # 39.80 dollars are 36.616 euros
        ("o-1", "k-2", 1, "0.3200"),
        ("o-2", "k-1", 2, "36.6200"),
    ]


def run(api: AirflowApi, conf: dict[str, Any]) -> dict[str, Any]:
    """Trigger the DAG and wait until it is green; what each task returned."""
    api.unpause(DAG)
    run_id = api.trigger(DAG, conf, datetime.now(UTC))
    wait_green(api, run_id)
    return {task: api.result(DAG, run_id, task) for task in api.task_order(DAG)}


def wait_green(api: AirflowApi, run_id: str) -> None:
    state = wait_for(lambda: api.run_state(DAG, run_id) in DONE and api.run_state(DAG, run_id), run_id, timeout=900)
    assert state == "success", {task: str(api.log(DAG, run_id, task, 1))[-3000:] for task in api.task_order(DAG)}


def by_hand(settings: Settings, day: date) -> None:
    """The day through the functions that the tasks call, up to the warehouse."""
    folders = Folders.of(settings)
    extra = json.loads(airflow_connections(settings, {})["AIRFLOW_CONN_SALES_DB"])["extra"]
    database = database_of("sqlite", str(folders.database), None, None, None, None, extra)
    shops = Shops(database, SalesApi(f"http://127.0.0.1:{settings.sales_api_port}", api_token(folders)))
    load_day(settings, transform_day(settings, extract_day(settings, shops, day)))


def query(settings: Settings, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    def rows() -> list[list[tuple[Any, ...]]]:
        try:
            with duckdb.connect(str(Folders.of(settings).warehouse), read_only=True) as connection:
                return [connection.execute(sql, list(values)).fetchall()]
        except duckdb.IOException:  # a task has it open
            return []

    return wait_for(rows, "the warehouse to be free", timeout=120)[0]


def dump(settings: Settings, days: list[date]) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of these days in all tables."""
    tables = [row[0] for row in query(settings, "SELECT table_name FROM information_schema.tables ORDER BY 1")]
    assert len(tables) == 7
    where = ", ".join(f"DATE '{day}'" for day in days)
    return {table: query(settings, f"SELECT * FROM {table} WHERE day IN ({where}) ORDER BY ALL") for table in tables}


def check_day(settings: Settings, day: date) -> None:
    """The warehouse has of this day what the recount finds."""
    expected = Recount(settings, day)
    assert len(expected.sold) > 100
    figures = "orders, units, gross_eur, units_returned, returned_eur, net_eur"
    (whole,) = query(settings, f"SELECT {figures}, lines_read, lines_rejected FROM sales_by_day WHERE day = ?", day)
    assert cents(whole[:6]) == expected.figures(expected.sold)
    assert whole[6:] == (expected.read, sum(expected.rejected.values()))
    for dimension in ("product_id", "category", "channel", "country"):
        table = "sales_by_" + dimension.removesuffix("_id")
        rows = query(settings, f"SELECT {dimension}, {figures} FROM {table} WHERE day = ?", day)
        assert {row[0]: cents(row[1:]) for row in rows} == expected.by(dimension), dimension
        assert sum(row[-1] for row in rows) == whole[5]
    reasons = query(settings, "SELECT source, reason, count(*) FROM sales_rejected WHERE day = ? GROUP BY ALL", day)
    assert {(source, reason): count for source, reason, count in reasons} == expected.rejected
    lines = query(settings, "SELECT order_id, line, kind, net_eur FROM sales_lines WHERE day = ?", day)
    assert {row[:3]: round(row[3] * 100) for row in lines} == {
        key: line["cents"] for key, line in expected.sold.items()
    }
    assert not query(settings, "SELECT * FROM sales_rejected WHERE detail = '' OR raw = '' OR place = ''")


def cents(row: tuple[Any, ...]) -> tuple[int, ...]:
    """(orders, units, gross, units returned, returned, net), euros as whole cents."""
    return (row[0], row[1], round(row[2] * 100), row[3], round(row[4] * 100), round(row[5] * 100))


def mail_about(settings: Settings, day: date) -> tuple[EmailMessage, bytes]:
    """The newest mail with the day's PDF, as the mail server wrote it."""
    for path in sorted((settings.home / "mails").glob("*.eml"), reverse=True):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for part in mail.iter_attachments():
            if part.get_filename() == f"sales-{day}.pdf":
                return mail, part.get_payload(decode=True)  # type: ignore[return-value]
    raise AssertionError(f"there is no mail about {day}")


def text_of(pdf: bytes) -> str:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(pdf))
    assert len(reader.pages) == 2
    return "\n".join(page.extract_text() for page in reader.pages)


class Recount:
    """A day counted again from the three sources, in fractions and whole cents."""

    def __init__(self, settings: Settings, day: date) -> None:
        self.rejected: Counter[tuple[str, str]] = Counter()
        self.sold: dict[tuple[str, str, str], Line] = {}
        self.read = 0
        folders = Folders.of(settings)
        with sqlite3.connect(folders.database) as database:
            self.catalogue = {row[0]: row[2] for row in database.execute("SELECT * FROM products")}
        everything = [
            *from_database(folders.database),
            *from_api(settings, day),
            *from_files(folders.drop, day),
        ]
        good = []
        for number, line in enumerate(everything):
            if (line["at"].date() if line["at"] else line["filed"]) != day:
                continue
            self.read += 1
            reason = broken(line)
            if reason:
                self.rejected[line["source"], reason] += 1
            else:
                changed = line["changed"] or line["at"]
                good.append(((-changed.timestamp(), ["database", "api", "files"].index(line["source"]), number), line))
        for _, line in sorted(good, key=lambda each: each[0]):
            amount = Fraction(line["quantity"]) * Fraction(line["price"]) * RATES[line["currency"]]
            back = line["kind"] == "return" or amount < 0
            line["cents"] = int(abs(amount) * 100 + Fraction(1, 2)) * (-1 if back else 1)
            line["units"] = abs(int(line["quantity"]))
            line["category"] = self.catalogue[line["product_id"]]
            line["channel"] = line["channel"] or "unknown"
            line["country"] = line["country"] if re.fullmatch("[A-Z]{2}", line["country"] or "") else "unknown"
            key = (line["order"], line["line"], "return" if back else "sale")
            if key in self.sold:
                self.rejected[line["source"], "duplicate"] += 1
            else:
                self.sold[key] = line

    def net(self) -> int:
        return sum(line["cents"] for line in self.sold.values())

    def by(self, name: str) -> dict[str, tuple[int, ...]]:
        groups: dict[str, dict[tuple[str, str, str], Line]] = defaultdict(dict)
        for key, line in self.sold.items():
            groups[line[name]][key] = line
        return {group: self.figures(lines) for group, lines in groups.items()}

    @staticmethod
    def figures(lines: dict[tuple[str, str, str], Line]) -> tuple[int, ...]:
        sales = {key: line for key, line in lines.items() if key[2] == "sale"}
        returns = {key: line for key, line in lines.items() if key[2] == "return"}
        gross, returned = (sum(line["cents"] for line in some.values()) for some in (sales, returns))
        return (
            len({key[0] for key in sales}),
            sum(line["units"] for line in sales.values()),
            gross,
            sum(line["units"] for line in returns.values()),
            -returned,
            gross + returned,
        )


def broken(line: Line) -> str | None:
    """The reason for which a line is rejected, by the rules as they are documented."""
    if not all(line[name] for name in ("order", "line", "product_id", "quantity", "price", "currency")):
        return "missing_field"
    if line["order"].lower().startswith("test"):
        return "test_order"
    if line["at"] is None:
        return "unreadable_time" if line["time"] else "missing_field"
    if not re.fullmatch(r"-?\d+", line["quantity"]):
        return "unreadable_number"
    if int(line["quantity"]) == 0:
        return "zero_quantity"
    if abs(int(line["quantity"])) > 10_000:
        return "implausible_quantity"
    if not re.fullmatch(r"-?\d+(\.\d+)?", line["price"]):
        return "unreadable_number"
    if line["price"].startswith("-"):
        return "negative_price"
    return None if line["currency"] in RATES else "unknown_currency"


def from_database(path: Path) -> Iterator[Line]:
    berlin = ZoneInfo("Europe/Berlin")
    with sqlite3.connect(path) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute(
            "SELECT * FROM order_lines JOIN orders USING (booking_id) ORDER BY booked_at, booking_id"
        )
        for row in rows.fetchall():
            price = row["unit_price_cents"]
            yield {
                "source": "database",
                "filed": None,
                "order": row["order_id"],
                "line": text(row["line"]),
                "kind": row["kind"],
                "time": row["booked_at"],
                "at": datetime.fromisoformat(row["booked_at"]).replace(tzinfo=berlin).astimezone(UTC),
                "changed": datetime.fromisoformat(row["updated_at"]).replace(tzinfo=berlin).astimezone(UTC),
                "product_id": row["product_id"],
                "channel": row["channel"],
                "country": row["country"],
                "currency": row["currency"],
                "quantity": text(row["quantity"]),
                "price": ""
                if price is None
                else f"{'-' if price < 0 else ''}{abs(price) // 100}.{abs(price) % 100:02d}",
            }


def from_api(settings: Settings, day: date) -> Iterator[Line]:
    token = (Folders.of(settings).root / "shop" / "api-token").read_text()
    page = pages = 1
    while page <= pages:
        connection = HTTPConnection("127.0.0.1", settings.sales_api_port, timeout=60)
        connection.request("GET", f"/v1/sales?day={day}&page={page}", headers={"Authorization": f"Bearer {token}"})
        answer = json.loads(connection.getresponse().read(), parse_float=str)
        connection.close()
        page, pages = page + 1, answer["pages"]
        for item in answer["items"]:
            yield {
                "source": "api",
                "filed": day,
                "order": item["orderId"],
                "line": text(item["position"]),
                "kind": item["type"],
                "time": item["soldAt"],
                "at": moment(item["soldAt"], "%Y-%m-%dT%H:%M:%SZ", "UTC"),
                "changed": moment(item["updatedAt"], "%Y-%m-%dT%H:%M:%SZ", "UTC"),
                "product_id": item["sku"],
                "channel": item["channel"],
                "country": item["country"],
                "currency": item["currency"],
                "quantity": text(item["quantity"]),
                "price": text(item["unitPrice"]),
            }
    assert pages > 1


def from_files(folder: Path, day: date) -> Iterator[Line]:
    styles = {
        "berlin": (";", "%d.%m.%Y %H:%M:%S", "Europe/Berlin"),
        "newyork": (",", "%Y-%m-%d %H:%M:%S", "America/New_York"),
    }
    for name, (delimiter, style, zone) in styles.items():
        for days in (-1, 0, 1):
            path = folder / f"{name}_{day + timedelta(days=days)}.csv"
            if not path.exists():
                continue
            for row in csv.DictReader(path.read_text("utf-8-sig").splitlines(), delimiter=delimiter):
                yield {
                    "source": "files",
                    "filed": day + timedelta(days=days),
                    "order": row["receipt"],
                    "line": row["position"],
                    "kind": row["type"],
                    "time": row["sold_at"],
                    "at": moment(row["sold_at"], style, zone),
                    "changed": None,
                    "product_id": row["sku"],
                    "channel": "store",
                    "country": row["country"],
                    "currency": row["currency"],
                    "quantity": row["quantity"],
                    "price": row["price"].replace(",", "."),
                }


def text(value: Any) -> str:
    return "" if value is None else str(value)


def moment(given: str | None, style: str, zone: str) -> datetime | None:
    try:
        return datetime.strptime(given or "", style).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    except ValueError:
        return None
