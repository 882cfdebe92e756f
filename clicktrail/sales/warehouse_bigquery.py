"""The warehouse in Google BigQuery, through Airflow's Google provider and its connection ``google_cloud_default``.

An optional extra: ``pip install 'clicktrail[bigquery]'``. What of it could not be tested is in
``docs/decisions/050-daily-sales.md``.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from clicktrail.errors import ClicktrailError
from clicktrail.sales.tables import TABLES, Row, Rows, TableSpec, spec

_KINDS = {"text": "STRING", "date": "DATE", "timestamp": "TIMESTAMP", "integer": "INT64", "money": "NUMERIC(18, 4)"}
_HOUR = 3600.0  # seconds: a load or a query that takes longer has failed


class BigQuery:
    """Tables partitioned by day in one data set, which must exist.

    A day's rows are loaded into tables of their own, which expire by themselves; one transaction of several statements
    then puts them in the place of the day's.
    """

    def __init__(self, project: str, dataset: str, connection_id: str = "google_cloud_default") -> None:
        self.project = project
        self.dataset = dataset
        self.connection_id = connection_id
        self._client: Any = None

    def __enter__(self) -> Self:
        try:
            from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook
        except ImportError as error:
            raise ClicktrailError(
                "BigQuery needs Airflow's Google provider. Install it: pip install 'clicktrail[bigquery]'"
            ) from error
        self._client = BigQueryHook(gcp_conn_id=self.connection_id, use_legacy_sql=False).get_client(self.project)
        self._run(";\n".join(ddl(self.project, self.dataset, table) for table in TABLES), None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def replace_day(self, day: date, rows: Rows) -> None:
        """Put these rows in the place of the day's, in one transaction."""
        mark = uuid.uuid4().hex
        for table in TABLES:
            self._run(staging_ddl(self.project, self.dataset, table, mark), None)
            self._load(table, f"{self.project}.{self.dataset}.{table.name}_{mark}", rows[table.name])
        self._run(replacement(self.project, self.dataset, mark), day)

    def read(self, table: str, days: Sequence[date]) -> list[dict[str, Any]]:
        """The table's rows of these days, in its order."""
        from google.cloud import bigquery

        chosen = spec(table)
        names = ", ".join(f"`{column.name}`" for column in chosen.columns)
        job = self._client.query(
            f"SELECT {names} FROM `{self.project}.{self.dataset}.{table}` "
            f"WHERE day IN UNNEST(@days) ORDER BY {', '.join(chosen.order)}",
            job_config=bigquery.QueryJobConfig(
                query_parameters=[bigquery.ArrayQueryParameter("days", "DATE", list(days))]
            ),
        )
        return [dict(row.items()) for row in job.result(timeout=_HOUR)]

    def _load(self, table: TableSpec, target: str, rows: Sequence[Row]) -> None:
        from google.cloud import bigquery

        if not rows:
            return
        schema = [
            bigquery.SchemaField(column.name, "NUMERIC", precision=18, scale=4)
            if column.kind == "money"
            else bigquery.SchemaField(column.name, _KINDS[column.kind])
            for column in table.columns
        ]
        values = [{name: as_json(value) for name, value in row.items()} for row in rows]
        config = bigquery.LoadJobConfig(schema=schema)
        self._client.load_table_from_json(values, target, job_config=config).result(timeout=_HOUR)

    def _run(self, script: str, day: date | None) -> None:
        from google.cloud import bigquery

        parameters = [bigquery.ScalarQueryParameter("day", "DATE", day)] if day else []
        config = bigquery.QueryJobConfig(query_parameters=parameters)
        self._client.query(script, job_config=config).result(timeout=_HOUR)


def ddl(project: str, dataset: str, table: TableSpec) -> str:
    """The statement that makes a table where it is missing."""
    return f"CREATE TABLE IF NOT EXISTS `{project}.{dataset}.{table.name}` ({_columns(table)}) PARTITION BY day"


def staging_ddl(project: str, dataset: str, table: TableSpec, mark: str) -> str:
    """The statement that makes the table that a day's rows are loaded into; it is gone after a day."""
    return (
        f"CREATE TABLE `{project}.{dataset}.{table.name}_{mark}` ({_columns(table)}) "
        "OPTIONS (expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY))"
    )


def replacement(project: str, dataset: str, mark: str) -> str:
    """The script that puts the loaded rows in the place of the day's ``@day``: all tables or none."""
    moves = []
    for table in TABLES:
        name = f"{project}.{dataset}.{table.name}"
        columns = ", ".join(f"`{column.name}`" for column in table.columns)
        moves.append(f"DELETE FROM `{name}` WHERE day = @day")
        moves.append(f"INSERT INTO `{name}` ({columns}) SELECT {columns} FROM `{name}_{mark}`")
    return ";\n".join(["BEGIN TRANSACTION", *moves, "COMMIT TRANSACTION"]) + ";"


def as_json(value: Any) -> Any:
    """A value as a load job's JSON takes it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _columns(table: TableSpec) -> str:
    return ", ".join(f"`{column.name}` {_KINDS[column.kind]}" for column in table.columns)
