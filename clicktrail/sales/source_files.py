"""The stores' CSV files: ``NAME_YYYY-MM-DD.csv`` in the drop folder, one a store and local day.

``stores.toml`` in the same folder says how each store writes: zone and format of its times, delimiter, decimal sign.
"""

from __future__ import annotations

import csv
import logging
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from clicktrail.errors import ClicktrailError
from clicktrail.sales.records import RawLine, Source, as_text

log = logging.getLogger(__name__)

_NAME = re.compile(r"(?P<store>[a-z0-9-]+)_(?P<day>\d{4}-\d{2}-\d{2})\.csv")
_FIELDS = {
    "order_id": "receipt",
    "line": "position",
    "kind": "type",
    "product_id": "sku",
    "product_name": "item",
    "category": "category",
    "country": "country",
    "currency": "currency",
    "quantity": "quantity",
}


@dataclass(frozen=True)
class StoreFormat:
    """How one store writes its files."""

    time_zone: str
    time_format: str
    delimiter: str
    decimal: str


def read_files(folder: Path, day: date) -> Iterator[RawLine]:
    """All lines of the files that can hold sales of the UTC day: those of the local days before, on and after it.

    Raises:
        ClicktrailError: the folder or ``stores.toml`` is not as it must be.
    """
    if not folder.is_dir():
        raise ClicktrailError(
            f"There is no drop folder {folder}. Make it, or leave files out of CLICKTRAIL_SALES_SOURCES."
        )
    stores = read_formats(folder / "stores.toml")
    near = {day + timedelta(days=days) for days in (-1, 0, 1)}
    for path in sorted(folder.glob("*.csv")):
        match = _NAME.fullmatch(path.name)
        if match is None or match["store"] not in stores:
            log.warning("%s is left out: it is not named STORE_YYYY-MM-DD.csv for a store of stores.toml", path.name)
        elif date.fromisoformat(match["day"]) in near:
            yield from _read(path, match["day"], stores[match["store"]])


def read_formats(path: Path) -> Mapping[str, StoreFormat]:
    """The stores of ``stores.toml``.

    Raises:
        ClicktrailError: it cannot be read or lacks something.
    """
    try:
        stores = {name: StoreFormat(**given) for name, given in tomllib.loads(path.read_text()).items()}
        for store in stores.values():
            ZoneInfo(store.time_zone)
    except (OSError, TypeError, KeyError, ValueError) as error:
        raise ClicktrailError(
            f"{path} must have time_zone, time_format, delimiter and decimal for each store: {error}"
        ) from error
    return stores


def _read(path: Path, filed_under: str, store: StoreFormat) -> Iterator[RawLine]:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        reader = csv.DictReader(file, delimiter=store.delimiter)
        for row in reader:
            given = {name: as_text(row.get(theirs)) for name, theirs in _FIELDS.items()}
            yield RawLine(
                source=Source.FILES.value,
                place=f"{path.name} line {reader.line_num}",
                filed_under=filed_under,
                sold_at=_iso(row.get("sold_at"), store),
                time_zone=store.time_zone,
                channel="store",
                unit_price=_plain(row.get("price"), store),
                **given,
            )


def _iso(text: str | None, store: StoreFormat) -> str | None:
    """The time as ISO text; what does not fit the store's format is handed on as it is."""
    try:
        return datetime.strptime((text or "").strip(), store.time_format).isoformat()
    except ValueError:
        return as_text(text)


def _plain(text: str | None, store: StoreFormat) -> str | None:
    """A number with a decimal point and without thousands separators."""
    if text is None or store.decimal == ".":
        return as_text(text)
    return as_text(text.replace(".", "").replace(store.decimal, "."))
