"""Cassandra's tables in memory, as far as the job's statements need them: by the real schema, the latest cell wins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import chain
from typing import Any

import pyarrow as pa
from cassandra import cqltypes

from clicktrail import store
from clicktrail.events import FIELD_NAMES, FIELDS
from clicktrail.job import cells
from clicktrail.job.derive.cql import Write
from clicktrail.job.event_store import TABLE, EventStore, VisitorDay

EPOCH = datetime(1970, 1, 1)
_INSERT = re.compile(r"INSERT INTO (\w+) \((.+?)\) VALUES \([?, ]+\) USING TIMESTAMP \?")
_DELETE = re.compile(r"DELETE FROM (\w+) USING TIMESTAMP \? WHERE (.+)")
_SELECT = re.compile(r"SELECT (.+) FROM (\w+) WHERE (.+)")


@dataclass(frozen=True)
class Declared:
    """A table as the schema declares it."""

    columns: Mapping[str, str]
    key: tuple[str, ...]


@cache
def declared() -> dict[str, Declared]:
    """All tables by name."""
    found = {}
    for statement in store.statements(store.SCHEMA.read_text(encoding="utf-8")):
        table = re.match(
            r"CREATE TABLE IF NOT EXISTS clickstream\.(\w+) \((.*?)(?:,\s*PRIMARY KEY (\(.*?\))\n|\n\))",
            statement,
            re.S,
        )
        if table:
            columns = dict(line.strip().rstrip(",").split(" ", 1) for line in table[2].strip().splitlines())
            one = [name for name, kind in columns.items() if kind.endswith("PRIMARY KEY")]
            found[table[1]] = Declared(columns, tuple(re.findall(r"\w+", table[3] or "")) or tuple(one))
    return found


class Tables:
    """Stands in for ``Cql``."""

    def __init__(self) -> None:
        self._cells: dict[str, dict[tuple[Any, ...], dict[str, tuple[int, Any]]]] = {}
        self.asked: list[tuple[str, Any]] = []
        """Table and key of each read."""

    def write(self, writes: Iterable[Write]) -> None:
        for each in writes:
            if put := _INSERT.fullmatch(each.statement):
                names = put[2].split(", ")
                *values, time = each.values
                row = dict(zip(names, values, strict=True))
                assert each.partition[0] == put[1]
                self.put(put[1], {name: value for name, value in row.items() if value is not None}, time)
            else:
                deleted = _DELETE.fullmatch(each.statement)
                assert deleted, each.statement
                self._delete(deleted[1], _conditions(deleted[2]), each.values)

    def put(self, table: str, row: Mapping[str, Any], time: int) -> None:
        """Write cells; ``None`` erases one."""
        kinds, key = declared()[table].columns, declared()[table].key
        plain = {name: _plain(kinds[name], value) for name, value in row.items()}
        there = self._cells.setdefault(table, {}).setdefault(tuple(plain[name] for name in key), {})
        for name, value in plain.items():
            known = there.get(name)
            if known is None or known[0] < time or (known[0] == time and _wins(value, known[1])):
                there[name] = (time, value)

    def _delete(self, table: str, names: list[str], values: Sequence[Any]) -> None:
        time, *key = values
        wanted = [_plain(declared()[table].columns[name], value) for name, value in zip(names, key, strict=True)]
        for where, there in list(self._cells.get(table, {}).items()):
            if [dict(zip(declared()[table].key, where, strict=True))[name] for name in names] == wanted:
                left = {name: cell for name, cell in there.items() if cell[0] > time}
                self._cells[table][where] = left
                if not left:
                    del self._cells[table][where]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows by primary key; cells without a value are left out, times are milliseconds since 1970."""
        found = sorted(self._cells.get(table, {}).items())
        return [{name: value for name, (_, value) in there.items() if value is not None} for _, there in found]

    def times(self, table: str) -> list[set[int]]:
        """The write times of each row's cells."""
        return [{time for time, _ in there.values()} for _, there in sorted(self._cells.get(table, {}).items())]

    def read(self, statement: str, keys: Sequence[Sequence[Any]]) -> list[list[tuple[Any, ...]]]:
        found = _SELECT.fullmatch(statement)
        assert found, statement
        columns, table, where = found[1].split(", "), found[2], _conditions(found[3])
        self.asked += [(table, key) for key in keys]
        return [
            [_selected(table, columns, row) for row in self.rows(table) if _is(table, row, where, key)] for key in keys
        ]

    def stream(self, statement: str, keys: Sequence[Sequence[Any]], _at_once: int) -> Iterator[tuple[Any, ...]]:
        return chain.from_iterable(self.read(statement, keys))

    def one(self, statement: str, key: Sequence[Any]) -> list[tuple[Any, ...]]:
        return self.read(statement, [key])[0]


def _wins(value: Any, known: Any) -> bool:
    """Which of two cells of the same time stays: none before any, else the larger one."""
    return value is None or (known is not None and bool(value > known))


def _conditions(text: str) -> list[str]:
    return [re.sub(r"( =| IN|(?<= >)) \?$", "", part) for part in text.split(" AND ")]


def _is(table: str, row: Mapping[str, Any], where: Sequence[str], key: Sequence[Any]) -> bool:
    kinds = declared()[table].columns
    for names, wanted in zip(where, key, strict=True):
        if names.startswith("("):
            if tuple(row[name] for name in re.findall(r"\w+", names)) not in wanted:
                return False
        elif names.endswith(" >"):
            if not row[names[:-2]] > wanted:
                return False
        elif row[names] not in [_plain(kinds[names], one) for one in (wanted if type(wanted) is list else [wanted])]:
            return False
    return True


def _selected(table: str, columns: Sequence[str], row: Mapping[str, Any]) -> tuple[Any, ...]:
    """As the driver gives it: times without a zone, where they are not asked for as numbers."""
    found = []
    for column in columns:
        as_number = re.fullmatch(r"to_unix_timestamp\((\w+)\)", column)
        value = row.get(as_number[1] if as_number else column)
        if as_number and isinstance(value, date):
            value = (value - EPOCH.date()) // timedelta(milliseconds=1)
        if not as_number and value is not None and declared()[table].columns[column] == "timestamp":
            value = EPOCH + timedelta(milliseconds=value)
        found.append(value)
    return tuple(found)


def _plain(kind: str, value: Any) -> Any:
    """Times as milliseconds since 1970."""
    if kind == "timestamp" and isinstance(value, datetime):
        return (value.replace(tzinfo=value.tzinfo or UTC) - EPOCH.replace(tzinfo=UTC)) // timedelta(milliseconds=1)
    if kind == "date":
        assert isinstance(value, date), value
    return value


class Events(EventStore):
    """The event store over tables in memory."""

    def __init__(self, tables: Tables, written_to: Tables | None = None) -> None:
        self._cql = tables  # type: ignore[assignment]
        self.tables = written_to or tables
        self.written: list[tuple[VisitorDay, bytes]] = []

    def write(self, rows: Iterable[tuple[VisitorDay, bytes]]) -> None:
        for day, row in rows:
            self.written.append((day, row))
            *values, time = cells.split(row)
            time_ = unpacked("bigint", time)
            shown = {
                name: unpacked(field.kind, cell)
                for name, field, cell in zip(FIELD_NAMES, FIELDS, values, strict=True)
                if cell != cells.UNSET
            }
            assert (shown["user_id"], shown["day"]) == (day.user_id, date(1970, 1, 1) + timedelta(days=day.day))
            self.tables.put(TABLE, shown, time_)


class Topics:
    """Stands in for ``KafkaSink``."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        """Columns of the records, of the last share."""

    def send(self, records: pa.Table) -> None:
        self.sent = records.to_pylist()


DRIVERS: dict[str, Any] = {
    "text": cqltypes.UTF8Type,
    "timestamp": cqltypes.DateType,
    "date": cqltypes.SimpleDateType,
    "boolean": cqltypes.BooleanType,
    "int": cqltypes.Int32Type,
    "bigint": cqltypes.LongType,
    "double": cqltypes.DoubleType,
}
"""The driver's types by ``clicktrail.events.Field.kind``."""


def unpacked(kind: str, cell: bytes) -> Any:
    """A cell's value, by the driver; ``None`` where it is null."""
    if cell == cells.NULL:
        return None
    found = DRIVERS[kind].deserialize(cell[4:], 5)
    return found.date() if kind == "date" else found
