"""``clicktrail replay``: sends a file that you already have."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clicktrail.progress import counting
from clicktrail.replay import FORMATS, Summary, find_format, survey
from clicktrail.replay import replay as replay_file
from clicktrail.replay.combined_log import DEFAULT_SITE
from clicktrail.replay.lines import iso
from clicktrail.replay.pace import Pace, parse_speed
from clicktrail.sending import Sender
from clicktrail.settings import Settings


def replay(
    file: Annotated[Path, typer.Argument(help="the file, plain or gzip", exists=True, dir_okay=False, readable=True)],
    format_: Annotated[str, typer.Option("--format", help=", ".join(FORMATS))],
    site: Annotated[str, typer.Option(help="host of the site whose log it is (combined-log)")] = DEFAULT_SITE,
    mapping: Annotated[list[str] | None, typer.Option("--map", help="field=column, repeated (csv)")] = None,
    shift_to_now: Annotated[
        bool, typer.Option("--shift-to-now", help="move all times so that the last is now")
    ] = False,
    speed: Annotated[str, typer.Option(help="max, original, or a factor such as 60")] = "max",
) -> None:
    """Send a file of events, requests or rows to Kafka; replayed again, it gives the same events."""
    form, pace, settings = find_format(format_, site, mapping), Pace(parse_speed(speed)), Settings.from_env()
    console = Console(stderr=True)
    events, last = survey(file, form)
    now = datetime.now(UTC) if shift_to_now else None
    with Sender(settings) as sender, counting(console, "events", events) as tick:
        summary = replay_file(file, form, sender, pace, now, last, tick)
    show(summary, Console())
    if form.name == "combined-log" and site == DEFAULT_SITE:
        console.print(f"The pages are of the site {site}; --site names another.", markup=False, highlight=False)


def show(summary: Summary, console: Console) -> None:
    """Print what a replay did; lines that could not be read with their number and the reason."""

    def say(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    say(f"{summary.file}: {summary.lines} lines, {summary.events} events sent and confirmed in {summary.seconds:.1f} s")
    if summary.first is not None and summary.last is not None:
        say(f"from {iso(summary.first)} to {iso(summary.last)}")
    if summary.unreadable:
        say(f"{summary.unreadable} lines could not be read and were left out:", "yellow")
        for number, reason in summary.shown:
            say(f"  line {number}: {reason}")
        if summary.unreadable > len(summary.shown):
            say(f"  … and {summary.unreadable - len(summary.shown)} more")
