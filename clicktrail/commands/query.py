"""``clicktrail query`` and ``clicktrail cqlsh``: answers out of Cassandra."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import orjson
import typer
from cassandra import DriverException, InvalidRequest, RequestExecutionException
from cassandra.protocol import SyntaxException
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings
from clicktrail.store import connect


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def query(
    cql: Annotated[str, typer.Argument(help="A CQL statement, such as 'SELECT * FROM top_pages LIMIT 10'.")],
    output: Annotated[Format, typer.Option("--format", help="For people, or for programs.")] = Format.TABLE,
) -> None:
    """Run a CQL statement and print its rows."""
    with connect(Settings.from_env()) as session:
        try:
            result = session.execute(cql)
            columns = list(result.column_names or [])
            _write(output, columns, result)
        except (DriverException, InvalidRequest, RequestExecutionException, SyntaxException) as error:
            raise ClicktrailError(f"Cassandra says: {getattr(error, 'message', None) or error}") from error


def cqlsh(context: typer.Context) -> None:
    """Open Cassandra's own shell; what follows is for it, such as -e 'SELECT …'."""
    settings = Settings.from_env()
    with connect(settings):  # a clear answer where nobody is there
        pass
    command = [sys.executable, "-m", "cqlshlib", *_login(settings), *context.args]
    command += [settings.cassandra_contact_points[0], str(settings.cassandra_port)]
    sys.stdout.flush()
    os.execv(command[0], command)


def _login(settings: Settings) -> list[str]:
    options = ["--keyspace", settings.cassandra_keyspace]
    if settings.cassandra_username:
        os.environ["CQLSH_PASSWORD"] = settings.cassandra_password
        options += ["--username", settings.cassandra_username]
    return options


def _write(output: Format, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    if output is Format.JSON:
        for row in rows:
            typer.echo(orjson.dumps({name: _plain(value) for name, value in zip(columns, row, strict=True)}).decode())
    elif output is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_text(value) for value in row] for row in rows)
    elif columns:
        _print_table(columns, list(rows))


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    table = Table(caption=f"{len(rows):,} row{'' if len(rows) == 1 else 's'}", caption_justify="left")
    for at, name in enumerate(columns):
        numeric = all(isinstance(row[at], int | float | Decimal) for row in rows if row[at] is not None)
        table.add_column(Text(name), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(Text(_text(value)) for value in row))
    console = Console()
    if not console.is_terminal:  # a file or a pipe has no width
        console = Console(width=max(80, console.measure(table, options=console.options.update(width=10_000)).maximum))
    console.print(table)


def _plain(value: Any) -> Any:
    """A value as JSON has it; times in UTC with milliseconds."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset) or type(value).__name__ in {
        "SortedSet",
        "OrderedMapSerializedKey",
    }:
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else str(value)


def _text(value: Any) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    return orjson.dumps(plain).decode() if isinstance(plain, list | dict) else str(plain)
