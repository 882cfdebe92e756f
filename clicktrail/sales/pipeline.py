"""The steps of one day. Each leaves files in the day's folder and gives paths and counts, never data."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from clicktrail.errors import ClicktrailError
from clicktrail.sales.aggregate import tables_of
from clicktrail.sales.folders import Folders, write_atomically
from clicktrail.sales.money import SHIPPED_RATES, read_rates
from clicktrail.sales.records import Source, read_raw, write_raw
from clicktrail.sales.rules import clean
from clicktrail.sales.source_api import SalesApi, read_api
from clicktrail.sales.source_clicks import read_clicks
from clicktrail.sales.source_database import SalesDatabase, read_catalogue, read_database
from clicktrail.sales.source_files import read_files
from clicktrail.sales.sources import Read, extract, names
from clicktrail.sales.tables import TABLES, Row
from clicktrail.sales.warehouse import open_warehouse
from clicktrail.settings import Settings

log = logging.getLogger(__name__)

Handed = dict[str, Any]
"""What a step hands on: paths and counts, as JSON takes them."""


@dataclass(frozen=True)
class Shops:
    """Where the sources are that have an address."""

    database: SalesDatabase | None
    api: SalesApi | None


def extract_day(settings: Settings, shops: Shops, day: date) -> Handed:
    """Read the day from the sources of the settings into ``raw.jsonl``, the catalogue into ``catalogue.json``."""
    folders = Folders.of(settings)
    found = extract(day, _readers(settings, shops, folders))
    catalogue = read_catalogue(shops.database) if shops.database else {}
    folder = folders.day(day)
    write_raw(folder / "raw.jsonl", found.lines)
    write_atomically(folder / "catalogue.json", json.dumps(catalogue, ensure_ascii=False, indent=0).encode())
    return {"day": day.isoformat(), "raw": str(folder / "raw.jsonl"), "lines": found.counts}


def transform_day(settings: Settings, extracted: Handed) -> Handed:
    """Clean and aggregate what was read; all rows of the warehouse go into ``tables.json``."""
    day = date.fromisoformat(extracted["day"])
    raw = Path(extracted["raw"])
    lines = read_raw(raw)
    catalogue = {
        key: (name, kind) for key, (name, kind) in json.loads(raw.with_name("catalogue.json").read_text()).items()
    }
    rates = read_rates(Path(settings.sales_rates_file) if settings.sales_rates_file else SHIPPED_RATES)
    result = clean(day, lines, catalogue, rates)
    tables = tables_of(day, result, len(lines) - result.other_days)
    path = raw.with_name("tables.json")
    write_atomically(path, json.dumps(tables, default=_as_json, ensure_ascii=True).encode())
    counts = {
        "read": len(lines),
        "sold": len(result.sold),
        "rejected": len(result.rejected),
        "other_days": result.other_days,
    }
    log.info("%s: %s", day, counts)
    return {"day": extracted["day"], "tables": str(path), **counts}


def load_day(settings: Settings, transformed: Handed) -> Handed:
    """Put the day's rows in the place of what the warehouse had of it."""
    day = date.fromisoformat(transformed["day"])
    tables = read_tables(Path(transformed["tables"]))
    with open_warehouse(settings) as warehouse:
        warehouse.replace_day(day, tables)
    return {"day": transformed["day"], "rows": {name: len(rows) for name, rows in tables.items()}}


def report_day(settings: Settings, loaded: Handed) -> Handed:
    """Write the day's report from the warehouse: ``sales-DAY.pdf`` and ``sales-DAY.html``."""
    from clicktrail.sales.report import read_report
    from clicktrail.sales.report_html import html, subject
    from clicktrail.sales.report_pdf import pdf

    day = date.fromisoformat(loaded["day"])
    with open_warehouse(settings) as warehouse:
        report = read_report(warehouse, day)
    folder = Folders.of(settings).day(day)
    paths = {kind: folder / f"sales-{day}.{kind}" for kind in ("pdf", "html")}
    write_atomically(paths["pdf"], pdf(report))
    write_atomically(paths["html"], html(report).encode())
    return {"day": loaded["day"], "subject": subject(report), **{kind: str(path) for kind, path in paths.items()}}


def read_tables(path: Path) -> dict[str, list[Row]]:
    """The rows that :func:`transform_day` wrote, with their types."""
    makers: dict[str, Callable[[str], Any]] = {
        "date": date.fromisoformat,
        "timestamp": datetime.fromisoformat,
        "money": Decimal,
    }
    given = json.loads(path.read_text())
    kinds = {table.name: {column.name: column.kind for column in table.columns} for table in TABLES}
    return {
        table: [
            {
                name: makers[kind](value) if (kind := kinds[table][name]) in makers else value
                for name, value in row.items()
            }
            for row in rows
        ]
        for table, rows in given.items()
    }


def _readers(settings: Settings, shops: Shops, folders: Folders) -> Mapping[Source, Read]:
    readers: dict[Source, Read | None] = {
        Source.DATABASE: partial(read_database, shops.database) if shops.database else None,
        Source.API: partial(read_api, shops.api) if shops.api else None,
        Source.FILES: partial(read_files, folders.drop),
        Source.CLICKSTREAM: partial(read_clicks, settings),
    }
    chosen: dict[Source, Read] = {}
    for source in names(settings.sales_sources):
        read = readers[source]
        if read is None:
            raise ClicktrailError(f"CLICKTRAIL_SALES_SOURCES names {source}, but there is no connection to it")
        chosen[source] = read
    return chosen


def _as_json(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)  # a datetime is a date, all else is a Decimal
