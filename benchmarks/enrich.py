"""What enrichment costs an event, with the caches cold and warm: ``python benchmarks/enrich.py [ACCESS_LOG]``.

The events are those of an access log where one is given, else 20,000 made up from 400 user agents, 5,000 addresses and
2,000 pages.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from clicktrail import enrich

_LINE = re.compile(r'^(\S+) .*?"\S+ (\S+) [^"]*" \d+ \S+ "([^"]*)" "([^"]*)"')

Event = tuple[str, str, str, str]
"""Address, page's URL, referrer, user agent."""


def from_log(path: Path) -> list[Event]:
    """The events of an access log in Apache's combined format."""
    matches = (_LINE.match(line) for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    return [
        (m[1], "http://semicomplete.com" + m[2], "" if m[3] == "-" else m[3], "" if m[4] == "-" else m[4])
        for m in matches
        if m
    ]


def made_up(count: int = 20_000) -> list[Event]:
    """Events of a busy shop."""
    source = random.Random(1)
    agents = [f"Mozilla/5.0 (Windows NT 10.0; rv:{n}.0) Gecko/20100101 Firefox/{n}.{n % 7}" for n in range(400)]
    places = ["https://www.google.de/", "https://t.co/x", "", "https://shop.example/", "https://blog.example/post"]
    return [
        (
            f"{source.randrange(1, 223)}.{source.randrange(20)}.7.9",
            f"https://shop.example/p/{source.randrange(2000)}?utm_source=mail&q={source.randrange(20)}",
            source.choice(places),
            source.choice(agents),
        )
        for _ in range(count)
    ]


PARTS: dict[str, Callable[[Event], object]] = {
    "user_agent": lambda e: enrich.user_agent(e[3]),
    "referrer": lambda e: enrich.referrer(e[2], "shop.example"),
    "page": lambda e: enrich.page(e[1], None, None),
    "campaign": lambda e: enrich.campaign(None, enrich.page(e[1], None, None).raw_query),
    "address": lambda e: enrich.address(e[0]),
}


def microseconds(part: Callable[[Event], object], events: Iterable[Event], count: int) -> float:
    """Mean time an event, in µs."""
    started = time.perf_counter()
    for event in events:
        part(event)
    return (time.perf_counter() - started) / count * 1e6


def main() -> None:
    """Measure and print."""
    events = from_log(Path(sys.argv[1])) if len(sys.argv) > 1 else made_up()
    table = Table("part", "cold µs", "warm µs", title=f"{len(events):,} events")
    totals = [0.0, 0.0]
    for name, part in PARTS.items():
        cold = microseconds(part, events, len(events))
        warm = min(microseconds(part, events, len(events)) for _ in range(3))
        totals = [totals[0] + cold, totals[1] + warm]
        table.add_row(name, f"{cold:.2f}", f"{warm:.2f}")
    table.add_row("all", f"{totals[0]:.2f}", f"{totals[1]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
