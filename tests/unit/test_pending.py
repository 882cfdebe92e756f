"""The notes of a batch: which visitors' days and which pages' five minutes it touches."""

from __future__ import annotations

from datetime import date, datetime

from clicktrail.job.derive import pending
from clicktrail.job.derive.pending import PageSpan
from clicktrail.job.page_calls import PageMinute
from tests.raw import MINUTE
from tests.tables import Tables

DAY = 19_844  # 2024-05-01
FIRST, SECOND = date(2024, 5, 1), date(2024, 5, 2)


def test_five_minutes_of_a_page() -> None:
    starts = {
        minute: pending.span_of(PageMinute("a.example", "/x", MINUTE + minute * 60_000)).start
        for minute in (0, 4, 5, 59)
    }
    ten = datetime(2024, 5, 1, 10)
    assert starts == {0: ten, 4: ten, 5: ten.replace(minute=5), 59: ten.replace(minute=55)}
    assert pending.span_of(PageMinute("a.example", "/x", MINUTE))[:2] == ("a.example", "/x")
    assert pending.five_minutes(datetime(2024, 5, 1, 10, 9, 59, 999_999)) == ten.replace(minute=5)


def test_what_is_noted_is_read_once_and_cleared_up_to_its_time() -> None:
    tables = Tables()
    notes = [("ann", DAY, False), ("ann", DAY + 1, False), ("bob", DAY, True)]
    tables.write(pending.visitor_notes(notes, 7, 0))
    tables.write(pending.visitor_notes([("bob", DAY, False), ("ann", DAY, False)], 7, 1))
    span = pending.span_of(PageMinute("a.example", "/x", MINUTE))
    pending.note_pages(tables, [span, span], 7)  # type: ignore[arg-type]
    pending.note_identities(tables, [("a-1", "ann"), ("a-1", ""), ("a-2", "")], 7)  # type: ignore[arg-type]
    for table in (pending.TABLE, pending.VISITORS_TABLE):
        assert all(0 <= row["shard"] < pending.SHARDS for row in tables.rows(table))
    found = pending.read(tables)  # type: ignore[arg-type]
    assert found.visitors == {"ann": {FIRST, SECOND}, "bob": {FIRST}}
    assert found.claims == {"bob": {FIRST}}
    assert found.identities == {"a-1": {"ann"}, "a-2": set()}
    assert found.pages == {PageSpan("a.example", "/x", datetime(2024, 5, 1, 10))}
    tables.write(pending.visitor_notes([("ann", DAY, False)], 9, 0))  # while it is made anew
    pending.clear(tables, 8)  # type: ignore[arg-type]
    assert pending.read(tables).visitors == {"ann": {FIRST}}  # type: ignore[arg-type]
    pending.clear(tables, 9)  # type: ignore[arg-type]
    assert not pending.read(tables)  # type: ignore[arg-type]


def test_many_visitors_are_noted_in_few_rows_that_no_other_share_has() -> None:
    tables = Tables()
    ids = [f"u-{number}\n" for number in range(2_500)]
    for share in (0, 1, 17):
        tables.write(pending.visitor_notes([(f"{share} {one}", DAY, share == 17) for one in ids], 7, share))
    rows = tables.rows(pending.VISITORS_TABLE)
    assert len(rows) == 9
    assert len({row["shard"] for row in rows}) > 3
    noted = pending.read(tables)  # type: ignore[arg-type]
    assert noted.visitors == {f"{share} {one}": {FIRST} for share in (0, 1, 17) for one in ids}
    assert noted.claims == {f"17 {one}": {FIRST} for one in ids}
