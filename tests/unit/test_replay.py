"""Replaying files: each format, times, pace, and lines that cannot be read."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clicktrail.errors import ClicktrailError
from clicktrail.job.decode import decode
from clicktrail.replay import find_format, replay, survey
from clicktrail.replay.lines import Unreadable, digest, to_milliseconds
from clicktrail.replay.pace import Pace, parse_speed

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data"
NOW = 1_800_000_000_000
LOG = (
    b'203.0.113.7 - - [17/May/2015:10:05:03 +0200] "GET /a%20b/?q=1&r=2 HTTP/1.1" 200 512 '
    b'"http://example.org/x" "Mozilla/5.0 \\"q\\""\n'
    b"this is no log line\n"
    b"\n"
    b'host.example.net - ann [17/May/2015:10:05:04 +0000] "POST /login HTTP/1.1" 302 - "-" "-"\n'
    b'203.0.113.7 - - [17/May/2015:10:05:05 +0000] "\\x16\\x03\\x01" 400 226 "-" "-"\n'
    b'203.0.113.7 - - [31/Feb/2015:10:05:05 +0000] "GET / HTTP/1.1" 200 1 "-" "-"\n'
    b'2001:db8::1 - - [17/May/2015:10:05:06 +0000] "GET //favicon.ico HTTP/1.0" 404 0\n'
)


class Taken(list):
    """Takes messages and keeps them."""

    def send(self, key, value):
        self.append((key, value))

    @property
    def events(self):
        return [json.loads(value) for _, value in self]


def run(tmp_path, content, name, **kwargs):
    options = {key: kwargs.pop(key) for key in ("site", "mapping") if key in kwargs}
    path = tmp_path / "file"
    path.write_bytes(content)
    taken = Taken()
    return taken, replay(path, find_format(name, **options), taken, kwargs.pop("pace", Pace(0)), **kwargs)


def sample(name):
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"the sample data is not beside the project: {path} is missing")
    return path


class TestCombinedLog:
    def test_a_request_is_a_page_event(self, tmp_path):
        taken, summary = run(tmp_path, LOG, "combined-log", site="https://shop.example")
        key, value = taken[0]
        event = json.loads(value)
        visitor = event.pop("anonymousId")
        assert visitor.startswith("log-")
        assert key == visitor.encode()
        assert event == {
            "type": "page",
            "messageId": f"{digest(tmp_path / 'file')[:32]}-1",
            "timestamp": "2015-05-17T08:05:03.000Z",
            "context": {
                "page": {
                    "url": "https://shop.example/a%20b/?q=1&r=2",
                    "path": "/a%20b/",
                    "search": "?q=1&r=2",
                    "referrer": "http://example.org/x",
                },
                "userAgent": 'Mozilla/5.0 "q"',
                "ip": "203.0.113.7",
                "library": {"name": "clicktrail-replay"},
            },
            "properties": {"method": "GET", "protocol": "HTTP/1.1", "status": 200, "bytes": 512},
        }
        assert (summary.lines, summary.events, summary.unreadable) == (6, 3, 3)

    def test_a_user_of_the_server_is_the_visitor(self, tmp_path):
        taken, _ = run(tmp_path, LOG, "combined_log")
        event = taken.events[1]
        assert taken[1][0] == b"ann"
        assert event["userId"] == "ann"
        assert "ip" not in event["context"]
        assert event["context"]["page"] == {"url": "http://localhost/login", "path": "/login"}
        assert event["properties"] == {"method": "POST", "protocol": "HTTP/1.1", "status": 302}

    def test_common_log_without_referrer_and_agent(self, tmp_path):
        taken, _ = run(tmp_path, LOG, "combined-log")
        assert taken.events[2]["context"] == {
            "page": {"url": "http://localhost//favicon.ico", "path": "//favicon.ico"},
            "ip": "2001:db8::1",
            "library": {"name": "clicktrail-replay"},
        }

    def test_unreadable_lines_are_shown_with_number_and_reason(self, tmp_path):
        _, summary = run(tmp_path, LOG, "combined-log")
        assert [number for number, _ in summary.shown] == [2, 5, 6]
        reasons = " | ".join(reason for _, reason in summary.shown)
        assert "no line of a combined log" in reasons
        assert "no request" in reasons
        assert "no time of a log" in reasons

    def test_only_the_first_few_are_shown(self, tmp_path):
        _, summary = run(tmp_path, b"x\n" * 50, "combined-log")
        assert (summary.unreadable, len(summary.shown)) == (50, 5)

    def test_visitors_of_one_address_are_told_apart_by_their_browser(self, tmp_path):
        line = '198.51.100.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "{}"\n'
        taken, _ = run(tmp_path, "".join(line.format(agent) for agent in ("A", "B", "A")).encode(), "combined-log")
        keys = [key for key, _ in taken]
        assert keys[0] == keys[2] != keys[1]

    def test_bytes_that_are_no_text_are_kept_readable(self, tmp_path):
        line = b'198.51.100.1 - - [17/May/2015:10:05:03 +0000] "GET /caf\xe9 HTTP/1.1" 200 1 "-" "-"\n'
        taken, _ = run(tmp_path, line, "combined-log")
        assert taken.events[0]["context"]["page"]["path"] == "/caf\\xe9"

    def test_the_sample_log_becomes_events_with_the_logged_paths(self):
        path = sample("web_access.log")
        taken = Taken()
        summary = replay(path, find_format("combined-log"), taken, Pace(0))
        assert (summary.lines, summary.events, summary.unreadable) == (5000, 5000, 0)
        assert (summary.first, summary.last) == (1431857100000, 1432004759000)
        logged = Counter(
            re.search(rb'"[A-Z]+ (\S+) HTTP', line)[1].split(b"?")[0].decode()
            for line in path.read_bytes().splitlines()
        )
        decoded = [decode(value, key, NOW, "t", 0, number) for number, (key, value) in enumerate(taken)]
        assert {outcome.detail for outcome in decoded} == {None}
        assert Counter(outcome.fields["page_path"] for outcome in decoded) == logged
        assert len({outcome.fields["event_id"] for outcome in decoded}) == 5000


class TestSegment:
    def test_lines_go_out_as_they_are(self, tmp_path):
        lines = [
            b'{"type": "page",  "messageId":"m1","userId":"u","timestamp":"2026-01-01T00:00:00Z"}',
            b'{"type":"odd","messageId":"m2","anonymousId":"a"}',
        ]
        taken, summary = run(tmp_path, b"\n".join(lines), "segment")
        assert taken == [(b"u", lines[0]), (b"a", lines[1])]
        assert (summary.events, summary.first) == (2, 1767225600000)

    def test_what_is_no_object_is_shown_and_the_rest_sent(self, tmp_path):
        content = b'{"messageId":\n[1]\n"text"\n{"messageId":"m","anonymousId":"a"}\n'
        taken, summary = run(tmp_path, content, "segment")
        assert (summary.unreadable, [number for number, _ in summary.shown]) == (3, [1, 2, 3])
        assert [key for key, _ in taken] == [b"a"]

    def test_a_missing_message_id_comes_from_file_and_line(self, tmp_path):
        taken, _ = run(tmp_path, b'\n{"type":"page","anonymousId":"a","timestamp":1767225600000}\n', "segment")
        assert taken.events[0]["messageId"] == f"{digest(tmp_path / 'file')[:32]}-2"

    def test_no_visitor_has_no_key(self, tmp_path):
        taken, _ = run(tmp_path, b'{"messageId":"m"}', "segment")
        assert taken[0][0] is None

    def test_shifted_to_now(self, tmp_path):
        content = (
            b'{"messageId":"1","userId":"u","timestamp":"2020-01-01T00:00:00Z","sentAt":"2020-01-01T00:00:01Z"}\n'
            b'{"messageId":"2","userId":"u","timestamp":"2020-01-01T01:00:00.500Z","sentAt":"soon"}\n'
            b'{"messageId":"3","userId":"u"}\n'
        )
        path = tmp_path / "events.jsonl"
        path.write_bytes(content)
        number, last = survey(path, find_format("segment"))
        taken = Taken()
        replay(path, find_format("segment"), taken, Pace(0), datetime(2026, 11, 21, 12, tzinfo=UTC), last)
        assert number == 3
        assert taken.events == [
            {
                "messageId": "1",
                "userId": "u",
                "timestamp": "2026-11-21T10:59:59.500Z",
                "sentAt": "2026-11-21T11:00:00.500Z",
            },
            {"messageId": "2", "userId": "u", "timestamp": "2026-11-21T12:00:00.000Z"},
            {"messageId": "3", "userId": "u"},
        ]


class TestCsv:
    CONTENT = (
        b"visitor;ts;event;price;quantity;note\n"
        b'ann;2026-01-01T10:00:00+01:00;Product Added;19.95;2;"two\nlines; ""quoted"""\n'
        b"bob;1767225600;;;;\n"
        b"cid;yesterday;;;;\n"
        b"dan;1767225600000\n"
        b";1767225600000;;;;\n"
        b"eve;1767225600000;Product Added;cheap;1;\n"
    )
    MAP = ("user_id=visitor", "timestamp=ts")

    def test_columns_are_mapped(self, tmp_path):
        taken, summary = run(tmp_path, self.CONTENT, "csv", mapping=list(self.MAP))
        prefix = digest(tmp_path / "file")[:32]
        assert taken.events[0] == {
            "type": "track",
            "messageId": f"{prefix}-3",
            "userId": "ann",
            "timestamp": "2026-01-01T09:00:00.000Z",
            "event": "Product Added",
            "properties": {"price": 19.95, "quantity": 2, "note": 'two\nlines; "quoted"'},
        }
        assert taken.events[1] == {
            "type": "page",
            "messageId": f"{prefix}-4",
            "userId": "bob",
            "timestamp": "2026-01-01T00:00:00.000Z",
        }
        assert [key for key, _ in taken] == [b"ann", b"bob", b"eve"]
        assert (summary.lines, summary.events, summary.unreadable) == (6, 3, 3)
        assert [number for number, _ in summary.shown] == [5, 6, 7]

    def test_a_price_that_is_none_is_left_to_the_pipeline(self, tmp_path):
        taken, _ = run(tmp_path, self.CONTENT, "csv", mapping=list(self.MAP))
        assert decode(taken[2][1], taken[2][0], NOW, "t", 0, 0).reason == "wrong_type"

    def test_columns_of_a_fields_own_name_need_no_mapping(self, tmp_path):
        content = b"\xef\xbb\xbftimestamp,anonymous_id,url,campaign_source,ip\n2026-01-01,a1,https://x.example/p?q=1,news,192.0.2.1\n"
        taken, _ = run(tmp_path, content, "csv")
        assert taken.events[0]["context"] == {
            "page": {"url": "https://x.example/p?q=1"},
            "campaign": {"source": "news"},
            "ip": "192.0.2.1",
        }
        assert decode(taken[0][1], taken[0][0], NOW, "t", 0, 0).fields["page_path"] == "/p"

    def test_a_broken_quote_does_not_stop_the_rest(self, tmp_path):
        content = b'anonymous_id,timestamp\n"a"x,2026-01-01\nb,2026-01-02\n'
        taken, summary = run(tmp_path, content, "csv")
        assert [key for key, _ in taken] == [b"b"]
        assert summary.shown[0][0] == 2

    @pytest.mark.parametrize(
        ("mapping", "said"),
        [("user_id", "no mapping"), ("user=visitor", "no field"), ("user_id=guest", "no column guest")],
    )
    def test_wrong_mappings_are_refused(self, tmp_path, mapping, said):
        with pytest.raises(ClicktrailError, match=said):
            run(tmp_path, self.CONTENT, "csv", mapping=[mapping])

    def test_an_empty_file_has_no_events(self, tmp_path):
        taken, summary = run(tmp_path, b"", "csv")
        assert (len(taken), summary.lines) == (0, 0)


class TestOtto:
    def test_a_session_becomes_shop_events(self, tmp_path):
        content = (
            b'{"session":3,"events":[{"aid":1,"ts":1659304800025,"type":"clicks"},{"aid":1,"ts":1659304801000,"type":"carts"},'
            b'{"aid":1,"ts":1659304802000,"type":"orders"},{"aid":2,"ts":1659304802000,"type":"orders"}]}\n'
            b'{"session":4,"events":[{"aid":1,"ts":1659304800025,"type":"sniffs"}]}\n{"x":1}\n'
        )
        taken, summary = run(tmp_path, content, "otto")
        assert [event["event"] for event in taken.events] == [
            "Product Viewed",
            "Product Added",
            "Order Completed",
            "Order Completed",
        ]
        assert {event["properties"].get("order_id") for event in taken.events[2:]} == {"otto-3-1659304802000"}
        assert len({event["messageId"] for event in taken.events}) == 4
        assert {key for key, _ in taken} == {b"otto-3"}
        assert (summary.lines, summary.events, summary.unreadable) == (3, 4, 2)

    def test_the_sample_goes_through(self):
        taken = Taken()
        summary = replay(sample("otto_sessions.jsonl"), find_format("otto"), taken, Pace(0))
        assert (summary.lines, summary.events, summary.unreadable) == (20, 862, 0)
        decoded = [decode(value, key, NOW, "t", 0, number) for number, (key, value) in enumerate(taken)]
        assert {outcome.detail for outcome in decoded} == {None}
        assert all(outcome.fields["product_id"] for outcome in decoded)
        assert len({outcome.fields["event_id"] for outcome in decoded}) == 862


def test_gzip_gives_the_same_events(tmp_path):
    plain, _ = run(tmp_path, LOG, "combined-log")
    packed, _ = run(tmp_path, gzip.compress(LOG), "combined-log")
    assert packed == plain
    csv = b"anonymous_id,timestamp\na,2026-01-01\n"
    assert run(tmp_path, gzip.compress(csv), "csv")[0] == run(tmp_path, csv, "csv")[0]


def test_a_cut_gzip_is_said(tmp_path):
    with pytest.raises(ClicktrailError, match="Cannot read"):
        run(tmp_path, gzip.compress(LOG * 100)[:200], "combined-log")


def test_unknown_formats_are_refused():
    with pytest.raises(ClicktrailError, match="there are segment"):
        find_format("parquet")
    with pytest.raises(ClicktrailError, match="--map is for"):
        find_format("segment", mapping=["a=b"])


class TestPace:
    def waits(self, factor, moments):
        clock, waited = [100.0], []

        def sleep(seconds):
            waited.append(round(seconds, 6))
            clock[0] += seconds

        pace = Pace(factor, clock=lambda: clock[0], sleep=sleep)
        for moment in moments:
            pace.wait_for(moment)
        return waited

    def test_original(self):
        assert self.waits(1.0, [5000, 6000, 5500, None, 8000]) == [1.0, 2.0]

    def test_factor(self):
        assert self.waits(10.0, [0, 60_000]) == [6.0]

    def test_max(self):
        assert self.waits(0.0, [0, 60_000]) == []

    @pytest.mark.parametrize(("text", "factor"), [("original", 1.0), ("max", 0.0), ("60", 60.0), ("0.5", 0.5)])
    def test_speeds(self, text, factor):
        assert parse_speed(text) == factor

    @pytest.mark.parametrize("text", ["0", "-1", "fast", "inf", "nan"])
    def test_no_speeds(self, text):
        with pytest.raises(ClicktrailError):
            parse_speed(text)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-01", 1767225600000),
        ("2026-01-01 00:00:00.25", 1767225600250),
        ("2026-01-01T01:00:00+01:00", 1767225600000),
        ("1767225600", 1767225600000),
        (1767225600000, 1767225600000),
    ],
)
def test_times(written, moment):
    assert to_milliseconds(written) == moment


@pytest.mark.parametrize("written", ["", "soon", None, True, [], "2026-13-01"])
def test_no_times(written):
    with pytest.raises(Unreadable):
        to_milliseconds(written)
