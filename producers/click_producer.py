"""Sends simulated clicks of visitors who walk through a shop to Kafka.

    python -m producers.click_producer --count 20000 --seed 7

The same seed and run give the same messages, byte for byte; without ``--run`` each call is a run of its own that ends
now.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from clicktrail.errors import ClicktrailError
from clicktrail.progress import counting
from clicktrail.sending import Sender
from clicktrail.settings import Settings, SettingsError
from clicktrail.simulate import DUPLICATE, Order, labelled_clicks


@dataclass(frozen=True)
class Summary:
    """What was sent, and confirmed by the broker.

    Attributes:
        run: the run's id: with it and the seed the same messages can be made again.
        seed: the seed.
        count: messages in all.
        invalid: bad ones among them.
        duplicates: repeats among them.
        reasons: number of bad ones by the reason for which they must be rejected.
        seconds: how long it took.
    """

    run: str
    seed: int
    count: int
    invalid: int
    duplicates: int
    reasons: dict[str, int]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for an XCom or JSON."""
        return asdict(self)


def produce_clicks(settings: Settings, order: Order, rate: float = 0, console: Console | None = None) -> Summary:
    """Send what ``order`` describes to the source topic; returns when the broker has confirmed all of it.

    Args:
        settings: where Kafka is.
        order: what to send.
        rate: messages a second; 0 is as fast as it goes.
        console: shows a progress bar, where it is a terminal.

    Raises:
        ClicktrailError: something was not confirmed.
    """
    began = time.monotonic()
    labels: Counter[str] = Counter()
    with Sender(settings, rate) as sender, counting(console, "clicks", order.count) as tick:
        for key, value, label in labelled_clicks(order):
            sender.send(key, value)
            tick()
            if label:
                labels[label] += 1
    duplicates = labels.pop(DUPLICATE, 0)
    return Summary(
        run=order.run,
        seed=order.seed,
        count=sender.confirmed,
        invalid=labels.total(),
        duplicates=duplicates,
        reasons=dict(labels),
        seconds=round(time.monotonic() - began, 3),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments, send, say what was sent."""
    console = Console(stderr=True)
    try:
        options = _parser().parse_args(argv)
        order = Order(
            seed=options.seed,
            run=options.run or f"manual__{datetime.now(UTC).isoformat(timespec='milliseconds')}",
            count=options.count,
            visitors=options.visitors,
            invalid=options.invalid,
            duplicates=options.duplicates,
        )
        summary = produce_clicks(Settings.from_env(), order, options.rate, console)
    except (ClicktrailError, SettingsError) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 1
    rate = summary.count / max(summary.seconds, 0.001)
    Console().print(
        f"{summary.count} messages sent and confirmed in {summary.seconds:.1f} s ({rate:,.0f}/s), {summary.invalid} of "
        f"them invalid, {summary.duplicates} repeats; seed {summary.seed}, run {summary.run}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m producers.click_producer", description="Send simulated clicks to Kafka."
    )
    parser.add_argument("--count", type=int, default=20_000, help="messages in all (default %(default)s)")
    parser.add_argument(
        "--rate", type=float, default=0, help="messages a second; 0, the default, is as fast as it goes"
    )
    parser.add_argument("--seed", type=int, default=1, help="gives the visitors (default %(default)s)")
    parser.add_argument("--visitors", type=int, default=2000, help="how many different ones (default %(default)s)")
    parser.add_argument("--run", help="id of the run; a time in it is when the clicks end (default: now)")
    parser.add_argument("--invalid", type=float, default=0, metavar="SHARE", help="share of bad messages, 0 to 1")
    parser.add_argument("--duplicates", type=float, default=0, metavar="SHARE", help="share of exact repeats, 0 to 1")
    return parser


if __name__ == "__main__":
    sys.exit(main())
