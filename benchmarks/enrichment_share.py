"""What enrichment takes of the decoder's time, side by side: ``python benchmarks/enrichment_share.py [ACCESS_LOG]``.

The same messages are decoded with enrichment and with functions that return nothing in its place, turn about; the best
round of each counts, in processor time. Messages: 50,000 simulated clicks, and the access log where one is given. The
caches are emptied before each round, so that each distinct user agent, page and address is worked on anew.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import orjson
from rich.console import Console
from rich.table import Table

from clicktrail import enrich
from clicktrail.enrich import Address, Campaign, Page, Referrer, UserAgent, agents, campaigns, pages, referrers
from clicktrail.job import parts
from clicktrail.job.decode import decode
from clicktrail.replay.lines import Replayed
from clicktrail.replay.run import Summary, events_of, find_format
from clicktrail.simulate import Order, clicks

ROUNDS = 5
_NOTHING: dict[str, Any] = {
    "user_agent": lambda *_: UserAgent(None, None, None, False),
    "referrer": lambda *_: Referrer(None, "direct", None),
    "page": lambda url, path, search: Page("shop.example", path, None, ""),
    "campaign": lambda *_: Campaign(None, None, None, None, None, None),
    "address": lambda *_: Address(None, None),
}
_CACHES = (
    agents.user_agent, enrich.address, enrich.page, enrich.plain_url, referrers.referrer, campaigns._from_query,
    pages._split,
)  # fmt: skip


@contextmanager
def without_enrichment() -> Iterator[None]:
    """Nothing is known of any event."""
    with ExitStack() as patches:
        for name, function in _NOTHING.items():
            patches.enter_context(mock.patch.object(enrich, name, function))
        yield


def seconds(messages: list[bytes], now: int) -> float:
    """Time to decode all messages once, with cold caches."""
    for cached in (*_CACHES, *parts.KEPT):
        cached.cache_clear()
    started = time.process_time()
    for offset, message in enumerate(messages):
        decode(message, b"", now, "topic", 0, offset)
    return time.process_time() - started


def _bytes(replayed: Replayed) -> bytes:
    return replayed.original or orjson.dumps(replayed.event)


def main() -> None:
    """Measure and print."""
    order = Order(1, "benchmark__2026-11-20T12:00:00+00:00", 50_000)
    sources = {"simulated clicks": [value for _, value in clicks(order) if value]}
    if len(sys.argv) > 1:
        path = Path(sys.argv[1])
        log = events_of(path, find_format("combined-log", "log.example"), "b", Summary(str(path)))
        sources["access log"] = [_bytes(replayed) for _, replayed in log]
    now = int(time.time() * 1000)
    table = Table("messages", "number", "with, events/s", "without, events/s", "share of the decoder")
    for name, messages in sources.items():
        seconds(messages, now)  # patterns are compiled on first use
        plain, enriched = [], []
        for _ in range(ROUNDS):
            with without_enrichment():
                plain.append(seconds(messages, now))
            enriched.append(seconds(messages, now))
        count, best, bare = len(messages), min(enriched), min(plain)
        table.add_row(name, f"{count:,}", f"{count / best:,.0f}", f"{count / bare:,.0f}", f"{1 - bare / best:.0%}")
    Console().print(table)


if __name__ == "__main__":
    main()
