"""Warehouse and report of the daily sales: what is stored, compared, shown and sent."""

from __future__ import annotations

import email
import email.policy
import io
import smtplib
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import duckdb
import pytest

from clicktrail.errors import ClicktrailError
from clicktrail.sales import warehouse_bigquery
from clicktrail.sales.aggregate import tables_of
from clicktrail.sales.mail import recipients
from clicktrail.sales.money import read_rates
from clicktrail.sales.records import RawLine
from clicktrail.sales.report import Report, at_most, change, copies, read_report
from clicktrail.sales.report_html import html, subject
from clicktrail.sales.report_pdf import pdf
from clicktrail.sales.rules import clean
from clicktrail.sales.tables import TABLES
from clicktrail.sales.warehouse import open_warehouse
from clicktrail.sales.warehouse_bigquery import BigQuery
from clicktrail.sales.warehouse_duckdb import DuckDb
from clicktrail.sales.words import euros, long_date, per_cent
from clicktrail.servers.mail import mail_server
from clicktrail.settings import Settings

DAY = date(2026, 10, 31)
CATALOGUE = {"K01": ("Kettle <1 l>", "Kitchen"), "D02": ("Notebook", "Desk")}


def lines_of(day: date, orders: int, back: int = 0) -> list[RawLine]:
    """So many orders of one kettle for 10 euros and a notebook for 2.50; so many kettles that come back."""
    lines = []
    for number in range(orders + back):
        for line, (product, price) in enumerate((("K01", "10"), ("D02", "2.50")), start=1):
            if number >= orders and product == "D02":
                continue
            lines.append(
                RawLine(
                    source="api",
                    place=f"item {number}",
                    filed_under=str(day),
                    order_id=f"{'A' if number < orders else 'R'}-{number}",
                    line=str(line),
                    kind="sale" if number < orders else "return",
                    sold_at=f"{day}T12:00:00Z",
                    product_id=product,
                    channel="app",
                    country="DE",
                    currency="EUR",
                    quantity="1",
                    unit_price=price,
                )
            )
    return lines


def tables(day: date, orders: int, back: int = 0, broken: int = 0) -> Mapping[str, Any]:
    lines = lines_of(day, orders, back) + [RawLine("files", f"row {number}", str(day)) for number in range(broken)]
    return tables_of(day, clean(day, lines, CATALOGUE, read_rates()), len(lines))


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDb:
    return DuckDb(tmp_path / "sales" / "warehouse.duckdb")


def filled(warehouse: DuckDb) -> Report:
    with warehouse as opened:
        opened.replace_day(DAY - timedelta(days=7), tables(DAY - timedelta(days=7), 8))
        opened.replace_day(DAY - timedelta(days=1), tables(DAY - timedelta(days=1), 16, 4))
        opened.replace_day(DAY, tables(DAY, 10, 1, broken=3))
        return read_report(opened, DAY)


def everything(warehouse: DuckDb) -> dict[str, list[tuple[Any, ...]]]:
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        return {
            table.name: connection.execute(f"SELECT * FROM {table.name} ORDER BY ALL").fetchall() for table in TABLES
        }


def test_a_day_is_replaced_and_no_other(warehouse: DuckDb) -> None:
    filled(warehouse)
    before = everything(warehouse)
    filled(warehouse)
    assert everything(warehouse) == before
    with warehouse as opened:
        opened.replace_day(DAY, tables(DAY, 2))
        (row,) = opened.read("sales_by_day", [DAY])
    assert (row["orders"], row["net_eur"], row["lines_rejected"]) == (2, Decimal("25.0000"), 0)
    after = everything(warehouse)
    for name, rows in before.items():
        assert [row for row in after[name] if row[0] != DAY] == [row for row in rows if row[0] != DAY]


def test_a_day_is_replaced_as_a_whole_or_not_at_all(warehouse: DuckDb) -> None:
    filled(warehouse)
    before = everything(warehouse)
    broken = dict(tables(DAY, 2))
    broken["sales_by_country"] = [{**broken["sales_by_country"][0], "units": "many"}]  # the last table of all
    with pytest.raises(Exception, match="many"), warehouse as opened:
        opened.replace_day(DAY, broken)
    assert everything(warehouse) == before


def test_money_and_times_come_back_as_they_went_in(warehouse: DuckDb) -> None:
    with warehouse as opened:
        opened.replace_day(DAY, tables(DAY, 1))
        first, second = opened.read("sales_lines", [DAY])
    assert (first["net_eur"], second["net_eur"]) == (Decimal("10.0000"), Decimal("2.5000"))
    assert str(first["sold_at"]) == "2026-10-31 12:00:00"


def test_the_warehouse_waits_until_another_process_has_left_it(warehouse: DuckDb) -> None:
    with warehouse:
        pass
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(warehouse.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(ClicktrailError, match="in use by another process"), DuckDb(warehouse.path, patience=0.1):
            pass
        threading.Timer(0.5, holder.communicate).start()
        with warehouse as opened:
            assert opened.read("sales_by_day", [DAY]) == []
    finally:
        holder.kill()
        holder.wait()


def test_the_numbers_of_a_report(warehouse: DuckDb) -> None:
    report = filled(warehouse)
    assert (report.today.net, report.today.gross, report.today.returned) == (
        Decimal("115.00"),
        Decimal("125.00"),
        Decimal("10.00"),
    )
    assert (report.today.orders, report.today.units, report.today.units_returned) == (10, 20, 1)
    assert report.today.per_order == Decimal("12.50")
    assert report.today.return_share == 8
    assert report.yesterday is not None
    assert report.yesterday.net == Decimal("160.00")
    assert report.week_ago is not None
    assert report.week_ago.net == Decimal("100.00")
    assert [(part.name, part.figures.net, part.before) for part in report.products] == [
        ("Kettle <1 l>", Decimal("90.00"), Decimal("80.00")),
        ("Notebook", Decimal("25.00"), Decimal("20.00")),
    ]
    assert [part.name for part in report.returned] == ["Kettle <1 l>"]
    assert (report.lines_read, report.lines_rejected) == (24, 3)
    assert report.rejected_by_reason == [("missing_field", 3)]
    assert report.rejected_by_source == [("files", 3)]
    assert len(report.trend) == 28
    assert report.trend[-8:] == [
        (date(2026, 10, 24), Decimal("100.00")),
        *((date(2026, 10, day), None) for day in range(25, 30)),
        (date(2026, 10, 30), Decimal("160.00")),
        (DAY, Decimal("115.00")),
    ]


def test_what_is_left_out_of_a_list_is_summed_up(warehouse: DuckDb) -> None:
    products = filled(warehouse).products
    assert at_most(products, 2) == products
    (whole,) = at_most(products, 1)
    assert (whole.name, whole.figures.net, whole.figures.units, whole.before) == (
        "2 others",
        Decimal("115.00"),
        20,
        None,
    )


def test_copies_are_told_from_what_is_lost(warehouse: DuckDb) -> None:
    report = filled(warehouse)
    assert copies(report) == ""
    lines = [*lines_of(DAY, 3), *lines_of(DAY, 1)]
    with warehouse as opened:
        opened.replace_day(DAY, tables_of(DAY, clean(DAY, lines, CATALOGUE, read_rates()), len(lines)))
        report = read_report(opened, DAY)
    for shown in (html(report), text_of(pdf(report))):
        assert "2 of 8 lines read" in shown
        assert "(2 only repeat a line that counts)" in shown


def test_a_day_that_was_not_loaded_is_said(warehouse: DuckDb) -> None:
    with warehouse as opened, pytest.raises(ClicktrailError, match="no sales of 2026-10-31"):
        read_report(opened, DAY)


def text_of(document: bytes) -> str:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(document))
    assert len(reader.pages) == 2
    return "\n".join(page.extract_text() for page in reader.pages)


def test_pdf_and_mail_show_the_same(warehouse: DuckDb) -> None:
    report = filled(warehouse)
    mail, text = html(report), text_of(pdf(report))
    for shown in ("€115.00", "−28.1 %", "+15.0 %", "Saturday, 31 October 2026", "3 of 24 lines read", "missing field"):
        assert shown in mail
        assert shown in text
    assert "Kettle &lt;1 l&gt;" in mail
    assert "Kettle <1 l>" in text
    assert subject(report) == "Sales of Sat 31 Oct 2026: €115.00, +15.0 % on last Saturday"


def test_the_same_report_is_the_same_pdf(warehouse: DuckDb) -> None:
    report = filled(warehouse)
    assert pdf(report) == pdf(report)


@pytest.mark.parametrize(("orders", "back", "broken"), [(0, 0, 0), (0, 3, 2), (1, 0, 0)])
def test_odd_days_have_a_report_too(warehouse: DuckDb, orders: int, back: int, broken: int) -> None:
    with warehouse as opened:
        opened.replace_day(DAY, tables(DAY, orders, back, broken))
        report = read_report(opened, DAY)
    assert report.yesterday is None
    net = euros(report.today.net)
    assert net == {(0, 0): "€0.00", (0, 3): "−€30.00", (1, 0): "€12.50"}[orders, back]
    assert net in text_of(pdf(report))
    assert net in html(report)
    assert subject(report) == f"Sales of Sat 31 Oct 2026: {net}"


def test_words() -> None:
    assert euros(Decimal("-1234567.895")) == "−€1,234,567.90"
    assert euros(Decimal("1234.5"), cents=False) in ("€1,234", "€1,235")
    assert (per_cent(Decimal("4.25"), sign=True), per_cent(Decimal("-0.01"), sign=True)) == ("+4.2 %", "±0.0 %")
    assert (per_cent(None), euros(None)) == ("–", "–")
    assert long_date(date(2026, 10, 5)) == "Monday, 5 October 2026"
    assert change(Decimal(5), Decimal(0)) is None
    assert change(Decimal(3), Decimal(4)) == -25


def test_warehouses_are_named_by_the_setting(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert isinstance(open_warehouse(settings), DuckDb)
    assert isinstance(open_warehouse(settings.with_changes(sales_warehouse="bigquery:shop.sales")), BigQuery)
    for wrong in ("oracle", "bigquery", "bigquery:shop", "duckdb:x"):
        with pytest.raises(ClicktrailError, match="CLICKTRAIL_SALES_WAREHOUSE"):
            open_warehouse(settings.with_changes(sales_warehouse=wrong))


def test_bigquery_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.google.cloud.hooks.bigquery", None)  # as where it is missing
    with pytest.raises(ClicktrailError, match=r"pip install 'clicktrail\[bigquery\]'"), BigQuery("shop", "sales"):
        pass


def test_bigquery_replaces_all_tables_in_one_transaction() -> None:
    script = warehouse_bigquery.replacement("shop", "sales", "abc")
    statements = [statement.strip() for statement in script.split(";") if statement.strip()]
    assert (statements[0], statements[-1]) == ("BEGIN TRANSACTION", "COMMIT TRANSACTION")
    assert len(statements) == 2 + 2 * len(TABLES)
    for table in TABLES:
        assert f"DELETE FROM `shop.sales.{table.name}` WHERE day = @day" in statements
        assert any(each.startswith(f"INSERT INTO `shop.sales.{table.name}` (`day`,") for each in statements)
        assert f"`shop.sales.{table.name}_abc`" in script
    lines = warehouse_bigquery.ddl("shop", "sales", TABLES[0])
    assert lines.startswith("CREATE TABLE IF NOT EXISTS `shop.sales.sales_lines` (`day` DATE, `order_id` STRING")
    assert "`net_eur` NUMERIC(18, 4)" in lines
    assert lines.endswith("PARTITION BY day")
    assert warehouse_bigquery.as_json(Decimal("1.20")) == "1.20"


def test_recipients() -> None:
    assert recipients(Settings(sales_mail_to="a@example.com, b@example.com")) == ["a@example.com", "b@example.com"]
    for wrong in (" ", "nobody"):
        with pytest.raises(ClicktrailError, match="CLICKTRAIL_SALES_MAIL_TO"):
            recipients(Settings(sales_mail_to=wrong))


def test_the_mail_server_writes_what_it_takes(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = mail_server("127.0.0.1", port, tmp_path)
    server.start()
    try:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.com", "Grüße"
        message.set_content("the text")
        message.add_attachment(b"%PDF-" + bytes(200_000), maintype="application", subtype="pdf", filename="r.pdf")
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            client.send_message(message, to_addrs=["b@example.com", "hidden@example.com"])
            client.send_message(message)
    finally:
        server.stop()
    first, second = sorted(tmp_path.glob("*.eml"))
    mail = email.message_from_bytes(first.read_bytes(), policy=email.policy.default)
    assert mail["Subject"] == "Grüße"
    assert mail["X-Envelope-To"] == "b@example.com, hidden@example.com"
    (attached,) = mail.iter_attachments()
    assert attached.get_payload(decode=True) == b"%PDF-" + bytes(200_000)
    assert b"X-Envelope-To: b@example.com\r\n" in second.read_bytes()
