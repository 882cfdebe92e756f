"""A busy server is asked again; rows go together; cells are encoded as the driver would."""

from datetime import UTC, date, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from cassandra import InvalidRequest, OperationTimedOut
from cassandra.cqltypes import (
    BooleanType,
    DateType,
    DoubleType,
    Int32Type,
    ListType,
    LongType,
    MapType,
    SimpleDateType,
    UTF8Type,
)
from cassandra.protocol import BatchMessage, ColumnMetadata, ProtocolHandler
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, PreparedStatement

from clicktrail.job.derive import cql
from clicktrail.job.derive.cql import Cql, Write, chunks
from clicktrail.job.derive.encoding import EncodedBatch, Statement, prepare_session

PROTOCOL = 5


def prepared(query: str, *kinds: Any) -> PreparedStatement:
    columns = [ColumnMetadata("k", "t", f"c{number}", kind) for number, kind in enumerate(kinds)]
    return PreparedStatement(columns, b"id", [0], query, "k", PROTOCOL, [], b"")


class Session:
    """Prepares statements with one text."""

    def prepare(self, statement: str) -> PreparedStatement:
        return prepared(statement, UTF8Type)

    def execution_profile_clone_update(self, *_: Any, **__: Any) -> None:
        return None


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[Any]]:
    """Each call's values; the first call fails for every second one."""
    calls: list[list[Any]] = []

    def execute(_: Any, statements: list[Any], *__: Any, **___: Any) -> list[tuple[bool, Any]]:
        calls.append([bound.values for bound, _ in statements])
        fails = 2 if len(calls) == 1 else 1  # every second one of the first call
        return [
            (False, OperationTimedOut()) if n % fails else (True, [(bound.values[0].decode(),)])
            for n, (bound, _) in enumerate(statements)
        ]

    monkeypatch.setattr(cql, "execute_concurrent", execute)
    monkeypatch.setattr(cql.time, "sleep", lambda _: None)
    return calls


def test_only_what_failed_is_asked_again_and_the_order_stays(asked: list[list[Any]]) -> None:
    assert Cql(Session()).read("SELECT", [("a",), ("b",), ("c",), ("d",)]) == [[("a",)], [("b",)], [("c",)], [("d",)]]
    assert asked == [[[b"a"], [b"b"], [b"c"], [b"d"]], [[b"b"], [b"d"]]]


def test_a_request_that_is_wrong_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cql, "execute_concurrent", lambda *_, **__: [(False, InvalidRequest("no such table"))])
    with pytest.raises(InvalidRequest):
        Cql(Session()).read("SELECT", [("a",)])


def test_a_server_that_stays_busy_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cql, "execute_concurrent", lambda *_, **__: [(False, OperationTimedOut())])
    monkeypatch.setattr(cql.time, "sleep", lambda _: None)
    with pytest.raises(OperationTimedOut):
        Cql(Session()).read("SELECT", [("a",)])


def test_nothing_is_asked_for_no_keys(asked: list[list[Any]]) -> None:
    assert Cql(Session()).read("SELECT", []) == []
    assert asked == []


def requests(*partitions: list[str]) -> list[list[str]]:
    """The rows of each request, for writes by partition."""
    made = Cql(Session())._batches(
        [[Write((n,), "INSERT", (text,)) for text in texts] for n, texts in enumerate(partitions)]
    )
    return [[row[4:].decode() for row in batch._statements_and_parameters[1::2]] for batch in made]


def test_requests_are_cut_by_size_and_by_partitions() -> None:
    assert [len(rows) for rows in requests([*"x" * 5_000])] == [449] * 11 + [61]  # 89 bytes each
    assert [len(rows) for rows in requests(["x" * 15_000] * 5)] == [2, 2, 1]
    assert [len(rows) for rows in requests(*[["x", "y"]] * 23)] == [20, 20, 6]
    assert requests(["a", "x" * 90_000, "b"], ["c"]) == [["a"], ["x" * 90_000], ["b", "c"]]
    assert [len(rows) for rows in requests(["x" * 39_000], *[["y"]] * 12)] == [10, 3]
    assert requests() == []
    assert [list(part) for part in chunks([1, 2, 3], 2)] == [[1, 2], [3]]


def test_a_request_goes_to_where_its_first_partition_is() -> None:
    batches = list(Cql(Session())._batches([[Write(("t", name), "INSERT", (name,))] for name in map(str, range(11))]))
    assert [batch.routing_key for batch in batches] == [b"0", b"10"]
    assert {batch.keyspace for batch in batches} == {"k"}


def test_every_write_is_in_a_request_with_its_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[list[bytes]] = []

    def execute(_: Any, statements: list[Any], *__: Any, **___: Any) -> list[tuple[bool, Any]]:
        sent.extend([row[4:] for row in each._statements_and_parameters[1::2]] for each, _ in statements)
        return [(True, [])] * len(statements)

    monkeypatch.setattr(cql, "execute_concurrent", execute)
    Cql(Session()).write(Write(("t", n % 11), "INSERT", (f"{n % 11}",)) for n in range(33))
    assert sorted(len(request) for request in sent) == [3, 30]
    assert sorted(cell for request in sent for cell in request) == sorted(b"%d" % (n % 11) for n in range(33))
    assert all(request.count(cell) == 3 for request in sent for cell in request)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (UTF8Type, "Zürich 🚲"),
        (UTF8Type, ""),
        (LongType, -(2**63)),
        (Int32Type, 2**31 - 1),
        (DoubleType, 19.99),
        (DoubleType, 3),
        (BooleanType, True),
        (BooleanType, False),
        (SimpleDateType, date(2026, 2, 28)),
        (SimpleDateType, date(1969, 12, 31)),
        (DateType, datetime(2026, 11, 21, 9, 0, 0, 123_000, tzinfo=UTC)),
        (DateType, datetime(2026, 11, 21, 9, 0, 0, 999_000)),
        (DateType, datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
        (DateType, datetime(2026, 11, 21, 9, 0, tzinfo=timezone(timedelta(hours=-5)))),
        (ListType.apply_parameters([LongType]), [0, 7, 2**40]),
        (ListType.apply_parameters([UTF8Type]), []),
        (ListType.apply_parameters([SimpleDateType]), [date(2026, 2, 28), date(2026, 3, 1)]),
        (MapType.apply_parameters([UTF8Type, LongType]), {"a": 1, "ü": 2}),
    ],
)
def test_cells_are_what_the_driver_makes_of_them(kind: Any, value: object) -> None:
    statement = prepared("INSERT", kind, UTF8Type)
    assert Statement(statement).bound((value, "x")).values == statement.bind((value, "x")).values


@pytest.mark.parametrize(("kind", "value"), [(DateType, 1_714_557_630_123), (DateType, -1), (DateType, 0)])
def test_times_may_be_given_as_milliseconds(kind: Any, value: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
    statement = prepared("INSERT", kind)
    assert Statement(statement).bound((value,)).values == statement.bind((moment,)).values


def test_what_is_missing_stays_unset_and_what_is_too_much_is_an_error() -> None:
    statement = Statement(prepared("INSERT", UTF8Type, LongType))
    assert statement.row(("a", None)) == b"\0\0\0\1a" + b"\xff\xff\xff\xfe"
    with pytest.raises(ValueError, match="zip"):
        statement.row(("a", 1, 2))
    with pytest.raises(ValueError, match="zip"):
        statement.bound(("a", 1, 2))


def test_the_size_of_a_row_counts_what_cassandra_adds() -> None:
    statement = Statement(prepared("INSERT", UTF8Type, BooleanType, MapType.apply_parameters([UTF8Type, LongType])))
    for values, elements in [(("abc", None, None), 0), (("abc", True, {}), 0), (("abc", None, {"a": 1, "b": 2}), 2)]:
        row = statement.row(values)
        assert statement.size(row, values) == 60 + 3 * 24 + len(row) + 40 * elements
    assert statement.size(b"x" * 50) == 60 + 3 * 24 + 50


# ---- batches on the wire

KINDS = (UTF8Type, LongType, SimpleDateType, DateType, ListType.apply_parameters([LongType]), BooleanType)
ROWS: list[tuple[Any, ...]] = [
    ("Zürich 🚲", 2**40, date(2024, 5, 1), datetime(2024, 5, 1, 10, tzinfo=UTC), [1, 2], True),
    ("", None, date(1969, 12, 31), None, [], None),
    ("x" * 70_000, -1, None, None, None, False),
]


def drivers_batch(statements: list[tuple[PreparedStatement, tuple[Any, ...]]]) -> BatchStatement:
    batch = BatchStatement(BatchType.UNLOGGED)
    for statement, values in statements:
        batch.add(statement.bind([UNSET_VALUE if value is None else value for value in values]))
    return batch


def encoded_batch(statements: list[tuple[PreparedStatement, tuple[Any, ...]]]) -> EncodedBatch:
    first, values = statements[0]
    batch = EncodedBatch(first.keyspace, Statement(first).routing_key(values))
    for each, row in statements:
        statement = Statement(each)
        cells = statement.row(row)
        batch.take(statement, cells, statement.size(cells, row))
    return batch


def wire(batch: BatchStatement, protocol: int, **more: Any) -> bytes:
    """The frame that a session would send for a batch."""
    session = SimpleNamespace(client_protocol_handler=ProtocolHandler)
    prepare_session(session)
    message = BatchMessage(batch.batch_type, batch._statements_and_parameters, 6, **more)
    frame: bytes = session.client_protocol_handler.encode_message(message, 7, protocol, None, False)
    return frame


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize("more", [{}, {"timestamp": 12345, "serial_consistency_level": 8}])
def test_a_batch_is_on_the_wire_what_the_driver_makes_of_it(protocol: int, more: dict[str, Any]) -> None:
    one, two = prepared("INSERT", *KINDS), prepared("DELETE", UTF8Type)
    two.query_id = b"another id"
    statements = [(one, row) for row in ROWS] + [(two, ("gone",))]
    theirs, ours = drivers_batch(statements), encoded_batch(statements)
    assert wire(ours, protocol, **more) == wire(theirs, protocol, **more)
    assert wire(ours, protocol, **more) == wire(theirs, protocol, **more)  # as when it is asked for again
    assert (ours.routing_key, ours.keyspace) == (theirs.routing_key, theirs.keyspace)
    assert ours.size >= sum(len(row) for row in ours._statements_and_parameters[1::2])


def test_with_a_keyspace_of_its_own_too() -> None:
    statements = [(prepared("INSERT", *KINDS), row) for row in ROWS]
    theirs, ours = drivers_batch(statements), encoded_batch(statements)
    assert wire(ours, 5, keyspace="k") == wire(theirs, 5, keyspace="k")


def test_a_key_of_several_columns_is_the_drivers() -> None:
    statement = prepared("INSERT", UTF8Type, SimpleDateType, LongType)
    statement.routing_key_indexes = [1, 0]
    values = ("é🛒", date(2024, 5, 1), 3)
    assert Statement(statement).routing_key(values) == statement.bind(values).routing_key
    statement.routing_key_indexes = None
    assert Statement(statement).routing_key(values) is None
