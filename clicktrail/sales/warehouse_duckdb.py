"""The warehouse in a file of DuckDB."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

from clicktrail.errors import ClicktrailError
from clicktrail.sales.tables import TABLES, Row, Rows, TableSpec, spec

_KINDS = {
    "text": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",  # UTC
    "integer": "BIGINT",
    "money": "DECIMAL(18, 4)",
}
_PATIENCE = 120.0  # seconds: only one process at a time can have the file open


class DuckDb:
    """DuckDB's file; it is opened in ``with``, and waits while another process has it."""

    def __init__(self, path: Path, patience: float = _PATIENCE) -> None:
        self.path = path
        self.patience = patience
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + self.patience
        while self._connection is None:
            try:
                self._connection = duckdb.connect(str(self.path))
            except duckdb.IOException as error:
                if "lock" not in str(error):
                    raise
                if time.monotonic() > deadline:
                    raise ClicktrailError(f"{self.path} is in use by another process: {error}") from error
                time.sleep(0.2)
        for table in TABLES:
            columns = ", ".join(f"{column.name} {_KINDS[column.kind]}" for column in table.columns)
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {table.name} ({columns})")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def replace_day(self, day: date, rows: Rows) -> None:
        """Put these rows in the place of the day's, in one transaction."""
        connection = self._open()
        connection.begin()
        try:
            for table in TABLES:
                connection.execute(f"DELETE FROM {table.name} WHERE day = ?", [day])
                connection.register("incoming", _arrow(table, rows[table.name]))
                connection.execute(f"INSERT INTO {table.name} SELECT * FROM incoming")
                connection.unregister("incoming")
            connection.commit()
        except BaseException:
            connection.rollback()
            raise

    def read(self, table: str, days: Sequence[date]) -> list[dict[str, Any]]:
        """The table's rows of these days, in its order."""
        chosen = spec(table)
        names = [column.name for column in chosen.columns]
        marks = ", ".join("?" * len(days))
        found = self._open().execute(
            f"SELECT {', '.join(names)} FROM {table} WHERE day IN ({marks}) ORDER BY {', '.join(chosen.order)}",
            list(days),
        )
        return [dict(zip(names, values, strict=True)) for values in found.fetchall()]

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            raise RuntimeError("the warehouse is used outside of its with")
        return self._connection


def _arrow(table: TableSpec, rows: Sequence[Row]) -> Any:
    """The rows as one Arrow table with the columns of the warehouse's."""
    import pyarrow as pa

    kinds = {
        "text": pa.string(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
        "integer": pa.int64(),
        "money": pa.decimal128(18, 4),
    }
    schema = pa.schema([(column.name, kinds[column.kind]) for column in table.columns])
    return pa.Table.from_pylist([{name: _stored(row[name]) for name in schema.names} for row in rows], schema)


def _stored(value: Any) -> Any:
    """A time as UTC without offset; all else as it is."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
