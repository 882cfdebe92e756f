"""Fields are declared once: the table, the Spark schema and the Arrow schemas must say the same."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from clicktrail import store
from clicktrail.events import FIELD_NAMES, FIELDS, IDENTITY, DeadLetterReason, spark_schema
from clicktrail.job import records, share
from clicktrail.settings import Settings

ARROW = {"text": pa.string(), "timestamp": pa.int64(), "boolean": pa.bool_(), "int": pa.int32(), "bigint": pa.int64()}
SPARK_OF_ARROW = {
    pa.string(): "string",
    pa.binary(): "binary",
    pa.bool_(): "boolean",
    pa.int32(): "int",
    pa.int64(): "long",
}
SPARK = {
    "text": "string",
    "timestamp": "timestamp",
    "date": "date",
    "boolean": "boolean",
    "int": "int",
    "bigint": "bigint",
    "double": "double",
}


def table(name: str) -> tuple[dict[str, str], str]:
    """Columns with their types, and the primary key, of a table in schema.cql."""
    for statement in store.statements(store.SCHEMA.read_text(encoding="utf-8")):
        found = re.match(
            rf"CREATE TABLE IF NOT EXISTS clickstream\.{name} \((.*)PRIMARY KEY (\(.*?\))\n", statement, re.S
        )
        if found:
            lines = [line.strip().rstrip(",") for line in found[1].strip().splitlines()]
            return dict(line.split(" ", 1) for line in lines if line), found[2]
    raise AssertionError(f"schema.cql has no table {name}")


def test_event_table_has_the_declared_fields() -> None:
    columns, key = table("events_by_user_day")
    assert columns == {field.name: field.kind for field in FIELDS}
    assert list(columns) == list(FIELD_NAMES)
    assert key == "((user_id, day), event_time, event_id)"
    assert tuple(re.findall(r"\w+", key)) == IDENTITY


def test_spark_has_the_declared_fields() -> None:
    assert {f.name: f.dataType.simpleString() for f in spark_schema().fields} == {f.name: SPARK[f.kind] for f in FIELDS}


def test_decoded_records_name_events_as_they_are_declared() -> None:
    of_event = [name for name in records.SCHEMA.names if name in FIELD_NAMES]
    kinds = {field.name: ARROW.get(field.kind) for field in FIELDS}
    assert set(IDENTITY) - {"day"} <= set(of_event)
    assert {name: records.SCHEMA.field(name).type for name in of_event} == {name: kinds[name] for name in of_event}


def test_schemas_are_said_to_spark_as_they_are_in_arrow() -> None:
    for schema in (records.SCHEMA, share.OUT):
        told = [tuple(column.split(" ")) for column in records.ddl(schema).split(", ")]
        assert told == [(field.name, SPARK_OF_ARROW[field.type]) for field in schema]


def test_what_identifies_an_event_is_required() -> None:
    required = {field.name for field in FIELDS if field.required}
    assert set(IDENTITY) <= required
    assert {f.name for f in spark_schema().fields if not f.nullable} == required


def test_each_field_is_explained_once() -> None:
    assert len(set(FIELD_NAMES)) == len(FIELD_NAMES)
    assert all(field.meaning for field in FIELDS)


def test_reasons_are_stable() -> None:
    assert {reason.name.lower() for reason in DeadLetterReason} == {reason.value for reason in DeadLetterReason}
    assert len(DeadLetterReason) == 24


def test_schema_is_the_only_one_and_each_table_can_be_made_again() -> None:
    statements = store.schema_statements(Settings(cassandra_keyspace="other"))
    assert all("IF NOT EXISTS" in statement for statement in statements)
    assert not [statement for statement in statements if re.search(r"\bclickstream\b", statement)]
    tables = [statement for statement in statements if statement.startswith("CREATE TABLE")]
    assert len(tables) >= 6
    for statement in tables:
        assert "UnifiedCompactionStrategy" in statement


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("page_metrics", "((site, page_path, day), minute)"),
        ("top_pages", "((site, bucket), rank)"),
        ("sessions_by_user", "((user_id, month), session_id)"),
        ("dead_letters", "((hour, shard), topic, partition, offset)"),
        ("batch_ledger", "((query, day, partition), epoch, first_offset)"),
    ],
)
def test_keys_of_the_tables(name: str, key: str) -> None:
    assert table(name)[1] == key
