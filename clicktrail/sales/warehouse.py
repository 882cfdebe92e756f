"""The warehouse: one small interface, DuckDB behind it by default, BigQuery where the settings name it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from types import TracebackType
from typing import Any, Protocol, Self

from clicktrail.errors import ClicktrailError
from clicktrail.sales.folders import Folders
from clicktrail.sales.tables import Rows
from clicktrail.settings import Settings


class Warehouse(Protocol):
    """What the pipeline asks of a warehouse; use it in a ``with``."""

    def replace_day(self, day: date, rows: Rows) -> None:
        """Put these rows of all tables in the place of the day's, in one transaction."""

    def read(self, table: str, days: Sequence[date]) -> list[dict[str, Any]]:
        """The table's rows of these days, in its order; none where it is empty."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_warehouse(settings: Settings) -> Warehouse:
    """The warehouse of the setting ``sales_warehouse``.

    Raises:
        ClicktrailError: there is none of that name, or what it needs is not installed.
    """
    kind, _, rest = settings.sales_warehouse.partition(":")
    if kind == "duckdb" and not rest:
        from clicktrail.sales.warehouse_duckdb import DuckDb

        return DuckDb(Folders.of(settings).warehouse)
    if kind == "bigquery" and rest.count(".") == 1 and all(rest.split(".")):
        from clicktrail.sales.warehouse_bigquery import BigQuery

        project, dataset = rest.split(".")
        return BigQuery(project, dataset)
    raise ClicktrailError(
        f"CLICKTRAIL_SALES_WAREHOUSE must be duckdb or bigquery:project.dataset, not {settings.sales_warehouse!r}"
    )
