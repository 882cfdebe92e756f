"""The schema's statements, without a server."""

from __future__ import annotations

import socket

import pytest

from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings
from clicktrail.store import connect, schema_statements, statements


def test_a_script_is_cut_at_semicolons_outside_of_text_and_comments() -> None:
    script = """
    -- first; not a statement
    CREATE TABLE a.b (k text PRIMARY KEY); /* one;
    two */ INSERT INTO a.b (k) VALUES ('it''s; "fine" -- here'); // third;
    SELECT * FROM a.b
    """

    assert statements(script) == [
        "CREATE TABLE a.b (k text PRIMARY KEY)",
        "INSERT INTO a.b (k) VALUES ('it''s; \"fine\" -- here')",
        "SELECT * FROM a.b",
    ]


def test_the_schema_is_for_the_keyspace_and_the_replication_of_the_settings() -> None:
    keyspace, *tables = schema_statements(Settings(cassandra_keyspace="mine", cassandra_replication=3))

    assert keyspace.startswith("CREATE KEYSPACE IF NOT EXISTS mine")
    assert "'replication_factor': 3" in keyspace
    assert tables
    assert all(statement.split()[5].startswith("mine.") for statement in tables), tables
    assert "clickstream." not in "".join(tables)


def test_the_schema_may_be_applied_again() -> None:
    assert all(" IF NOT EXISTS " in statement for statement in schema_statements(Settings()))


def test_no_server_is_told_with_the_cure() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: nobody else gets it
        settings = Settings(cassandra_port=unused.getsockname()[1])
        with (
            pytest.raises(ClicktrailError, match=r"No Cassandra answers at 127\.0\.0\.1.*clicktrail up"),
            connect(settings),
        ):
            pass
