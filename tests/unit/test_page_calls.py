"""Page calls packed into rows, and counted out of them again."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations

from clicktrail.job import marks, page_calls, pages
from clicktrail.job.page_calls import PageMinute, Views
from clicktrail.job.page_counts import Counts, Minute
from clicktrail.job.report import Report
from tests.raw import HOUR, MINUTE
from tests.tables import Tables

PAGE, OTHER = PageMinute("a.example", "/", MINUTE), PageMinute("a.example", "/other", MINUTE)


def call(visitor: str, number: int, written: int, *, bot: bool = False) -> str:
    digits = page_calls.visitor_digits(visitor)
    return page_calls.call(digits, visitor, MINUTE + number, f"e-{number}", written, is_bot=bot)


def gone(visitor: str, number: int, written: int) -> str:
    return page_calls.gone(visitor, MINUTE + number, f"e-{number}", written)


def counted(*rows: list[str]) -> Views:
    """Of rows in any order, which must not matter."""
    packed = [",".join(row) for row in rows]
    (views,) = {count(order) for order in permutations(packed)}
    return views


def count(rows: Iterable[str]) -> Views:
    minute = Minute()
    minute.add(rows)
    return minute.views


def test_a_minute_is_that_of_the_page() -> None:
    assert page_calls.minute_of("a.example", "/", MINUTE + 59_999) == PAGE
    assert page_calls.minute_of("a.example", "/", MINUTE + 60_000).minute == MINUTE + 60_000
    assert (PAGE.day, PageMinute("a", "/", 86_399_999).day, PageMinute("a", "/", 86_400_000).day) == (19_844, 0, 1)


def test_a_call_has_51_characters_whatever_it_is_of() -> None:
    calls = [call("a", 1, 10), call("ü" * 5_000, 10**6, 10**18 - 1, bot=True), gone("a,b", 2, 0)]
    assert {len(one) for one in calls} == {51}
    assert not any("," in one for one in calls)
    assert call("a", 1, 10)[:32] == call("a", 1, 99, bot=True)[:32] == gone("a", 1, 5)[:32]


def test_what_is_packed_is_counted_as_it_was() -> None:
    tables = Tables()
    calls = [call(f"v-{number % 7}", number, 10**15 + number) for number in range(40)]
    calls.append(call("crawler", 50, 10**15, bot=True))
    tables.write(page_calls.writes({PAGE: calls, OTHER: [call("v-1", 51, 10**15)]}, 5, 2))
    nowhere = PageMinute("a.example", "/", MINUTE + 60_000)
    found = Counts(tables).read([PAGE, nowhere, OTHER], 5)  # type: ignore[arg-type]
    assert found == {PAGE: Views(41, 1, 8), OTHER: Views(1, 0, 1)}
    row = tables.rows("page_calls")[0]
    assert (row["hour"], row["minute"], row["chunk"], row["part"]) == (MINUTE - MINUTE % HOUR, MINUTE, 5, 2)


def test_rows_are_bounded_and_shares_and_batches_do_not_overwrite_each_other() -> None:
    tables = Tables()
    calls = [call(f"v-{number}", number, number) for number in range(12_001)]
    for chunk, share, some in ((5, 0, calls[:5_500]), (5, 1, calls[5_500:11_900]), (6, 0, calls[11_900:])):
        tables.write(page_calls.writes({PAGE: some}, chunk, share))
    rows = tables.rows("page_calls")
    assert sorted(len(row["calls"].split(",")) for row in rows) == [101, 500, 1_400, 5_000, 5_000]
    assert Counts(tables).read([PAGE], 6) == {PAGE: Views(12_001, 0, 12_001)}  # type: ignore[arg-type]


def test_a_call_that_stands_in_two_rows_is_one() -> None:
    assert counted([call("a", 1, 10), call("b", 2, 11)], [call("a", 1, 10), call("c", 3, 12)]) == (3, 0, 3)
    assert counted([call("a", 1, 10), call("a", 2, 10)], [call("a", 1, 10)]) == (2, 0, 1)


def test_the_same_time_and_id_of_two_visitors_are_two_calls() -> None:
    assert counted([call("a", 1, 10)], [call("b", 1, 10)]) == (2, 0, 2)


def test_the_latest_content_says_whether_it_is_a_crawler() -> None:
    assert counted([call("a", 1, 10)], [call("a", 1, 20, bot=True)]) == (1, 1, 1)
    assert counted([call("a", 1, 9, bot=True)], [call("a", 1, 20)], [call("a", 1, 10, bot=True)]) == (1, 0, 1)


def test_a_call_that_moved_away_is_gone_and_may_come_back() -> None:
    first, away, back = [call("a", 1, 10), call("b", 2, 10)], [gone("a", 1, 10)], [call("a", 1, 11)]
    assert counted(first, away) == (1, 0, 1)
    assert counted(first, away, back) == (2, 0, 2)
    assert counted(first, away, back, [gone("a", 1, 11)]) == (1, 0, 1)
    assert counted([call("a", 1, 10)], away) == (0, 0, 0)


def test_only_what_is_still_as_it_was_is_taken_away() -> None:
    assert counted([call("a", 1, 10), call("b", 2, 20)], [gone("a", 1, 10), gone("b", 2, 19), gone("c", 3, 99)]) == (
        *(1, 0, 1),
    )


# ---- page_metrics


class Metrics:
    """Batches of page calls, on their way into ``page_metrics``."""

    def __init__(self) -> None:
        self.tables = Tables()
        self.time = 100
        self.counts = Counts(self.tables)  # type: ignore[arg-type]

    def bring(self, calls: dict[PageMinute, list[str]], gone: dict[PageMinute, list[str]] | None = None) -> None:
        self.time += 1
        self.tables.write(page_calls.writes(calls, self.time, 0))
        self.tables.asked.clear()
        views = {page: count([",".join(some)]) for page, some in calls.items()}
        pages.update(self.tables, self.counts, Report([], views, gone or {}), self.time)  # type: ignore[arg-type]

    @property
    def looked_up(self) -> int:
        return sum(table == "page_calls" for table, _ in self.tables.asked)

    @property
    def rows(self) -> dict[tuple[str, int], tuple[int, int, int]]:
        return {
            (row["page_path"], (row["minute"] - MINUTE) // 60_000): (row["views"], row["bot_views"], row["visitors"])
            for row in self.tables.rows("page_metrics")
        }


def test_new_minutes_are_not_looked_up_and_old_ones_are_counted_as_a_whole() -> None:
    metrics = Metrics()
    later = PAGE._replace(minute=MINUTE + 60_000)
    metrics.bring({PAGE: [call("a", 1, 10), call("b", 2, 10, bot=True)]})
    metrics.bring({later: [call("a", 60_001, 10)]})
    assert (metrics.looked_up, metrics.rows) == (0, {("/", 0): (2, 1, 2), ("/", 1): (1, 0, 1)})
    metrics.bring({PAGE: [call("a", 3, 11)], later: [call("a", 60_001, 10)]})
    assert (metrics.looked_up, metrics.rows) == (2, {("/", 0): (3, 1, 2), ("/", 1): (1, 0, 1)})


def test_a_page_whose_last_call_is_gone_has_no_row() -> None:
    metrics = Metrics()
    metrics.bring({PAGE: [call("a", 1, 10)], OTHER: [call("a", 2, 10), call("b", 3, 10)]})
    metrics.bring({}, {PAGE: [gone("a", 1, 10)], OTHER: [gone("b", 3, 10)]})
    assert metrics.rows == {("/other", 0): (1, 0, 1)}
    metrics.bring({PAGE: [call("a", 1, 12)]})
    assert metrics.rows == {("/", 0): (1, 0, 1), ("/other", 0): (1, 0, 1)}


def test_a_crash_before_the_counts_is_made_good() -> None:
    metrics = Metrics()
    metrics.tables.write(page_calls.writes({PAGE: [call("a", 1, 10), call("b", 2, 10)]}, 100, 0))
    marks.pass_over(metrics.tables, [PAGE])  # type: ignore[arg-type]
    metrics.bring({PAGE: [call("a", 1, 10)]})  # the rest of it comes in another batch
    assert metrics.rows == {("/", 0): (2, 0, 2)}


# ---- marks


def test_marks_rise_and_never_fall() -> None:
    tables = Tables()

    def known(*pages: PageMinute) -> set[PageMinute]:
        return marks.pass_over(tables, pages)  # type: ignore[arg-type]

    earlier, later = PAGE._replace(minute=MINUTE - 60_000), PAGE._replace(minute=MINUTE + 60_000)
    tomorrow = PAGE._replace(minute=MINUTE + 86_400_000)
    assert known() == set()
    assert known(PAGE, tomorrow) == set()
    assert known(earlier, PAGE, later) == {earlier, PAGE}
    assert known(earlier) == {earlier}
    assert known(later, tomorrow) == {later, tomorrow}
    newest = {str(row["day"]): row["newest"] for row in tables.rows("day_marks")}
    assert newest == {"2024-05-01": later.minute, "2024-05-02": tomorrow.minute}
    assert tables.times("day_marks") == [{later.minute * 1_000}, {tomorrow.minute * 1_000}]


def test_shards_stay_what_they_are() -> None:
    """They are in keys of what is stored."""
    assert (marks.shard("u"), marks.shard("a.example", "/"), marks.shard("é🛒", "")) == (62, 10, 40)
    assert {marks.shard(f"u-{number}") for number in range(2_000)} == set(range(marks.SHARDS))


# ---- what is kept from batch to batch


def bring(tables: Tables, chunk: int, *calls: str) -> None:
    tables.write(page_calls.writes({PAGE: calls}, chunk, 0))


def test_a_minute_that_was_read_is_read_from_there_on() -> None:
    tables = Tables()
    counts = Counts(tables)  # type: ignore[arg-type]
    bring(tables, 5, call("a", 1, 10), call("b", 2, 10, bot=True))
    assert counts.read([PAGE], 5) == {PAGE: Views(2, 1, 2)}
    bring(tables, 6, call("a", 3, 11), call("b", 2, 12), gone("a", 1, 10))
    bring(tables, 4, call("c", 9, 9))  # in the place of what no later batch writes: not looked at any more ...
    assert counts.read([PAGE], 6) == {PAGE: Views(2, 0, 2)}
    assert counts.read([PAGE], 7) == {PAGE: Views(2, 0, 2)}
    assert counts.read([PAGE], 7, {PAGE}) == {PAGE: Views(3, 0, 3)}  # ... but where all is read anew
    assert counts.read([PAGE], 8) == {PAGE: Views(3, 0, 3)}
    assert [key[-1] for table, key in tables.asked if table == page_calls.TABLE] == [-1, 5, 6, -1, 7]


def test_only_so_many_calls_are_kept_those_used_last() -> None:
    tables = Tables()
    counts = Counts(tables, most=5)  # type: ignore[arg-type]
    minutes = [PAGE._replace(minute=MINUTE + 60_000 * number) for number in range(3)]
    for number, page in enumerate(minutes):
        tables.write(page_calls.writes({page: [call("a", 10 * number + each, 10) for each in (1, 2)]}, 5, 0))
    counts.read(minutes[:2], 5)
    counts.read(minutes[:1], 6)
    counts.read(minutes[2:], 7)
    tables.asked.clear()
    assert counts.read(minutes, 8) == dict.fromkeys(minutes, Views(2, 0, 1))
    assert [key[-1] for _, key in tables.asked] == [6, -1, 7]
