"""Requests that a busy server does not answer are asked again; writes of one partition go together."""

from typing import Any

import pytest
from cassandra import InvalidRequest, OperationTimedOut

from clicktrail.job.derive import cql
from clicktrail.job.derive.cql import Cql, Write, chunks


class Session:
    """Remembers what is prepared."""

    def prepare(self, statement: str) -> str:
        return statement

    def execution_profile_clone_update(self, *_: Any, **__: Any) -> None:
        return None


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[Any]]:
    """Each call's statements; the first call fails for every second one."""
    calls: list[list[Any]] = []

    def execute(_: Any, statements: list[Any], *__: Any, **___: Any) -> list[tuple[bool, Any]]:
        calls.append([key for _, key in statements])
        fails = 2 if len(calls) == 1 else 1  # every second one of the first call
        return [(False, OperationTimedOut()) if n % fails else (True, [key]) for n, (_, key) in enumerate(statements)]

    monkeypatch.setattr(cql, "execute_concurrent", execute)
    monkeypatch.setattr(cql.time, "sleep", lambda _: None)
    return calls


def test_only_what_failed_is_asked_again_and_the_order_stays(asked: list[list[Any]]) -> None:
    assert Cql(Session()).read("SELECT", [("a",), ("b",), ("c",), ("d",)]) == [[("a",)], [("b",)], [("c",)], [("d",)]]
    assert asked == [[("a",), ("b",), ("c",), ("d",)], [("b",), ("d",)]]


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


def test_writes_are_cut_by_rows_and_by_size() -> None:
    rows = [Write(("t", 1), "INSERT", (n,)) for n in range(120)]
    assert [len(part) for part in cql._cut(rows)] == [50, 50, 20]
    large = [Write(("t", 1), "INSERT", ("x" * 4_000,)) for _ in range(3)]
    assert [len(part) for part in cql._cut(large)] == [1, 1, 1]
    assert [list(part) for part in chunks([1, 2, 3], 2)] == [[1, 2], [3]]
