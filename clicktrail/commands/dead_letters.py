"""``clicktrail dead-letters``: list what was rejected, and send it again after a fix."""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clicktrail import dead_letters, store
from clicktrail.dead_letters import DeadLetter
from clicktrail.errors import ClicktrailError
from clicktrail.sending import Sender
from clicktrail.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Rejected records: list them, send them again after a fix.")

_SHOWN = 60  # characters of an original
_Since = Annotated[str, typer.Option("--from", help="begin, UTC: 2026-11-21T09 or a full ISO time; or 24h, 7d ago")]
_Until = Annotated[str, typer.Option("--to", help="end, in the same form; now by default")]
_Reason = Annotated[str | None, typer.Option("--reason", help="only of this reason")]


@app.command("list")
def list_(
    since: _Since = "24h",
    until: _Until = "now",
    reason: _Reason = None,
    limit: Annotated[int, typer.Option(help="how many to show", min=0)] = 50,
    format_: Annotated[str, typer.Option("--format", help="table, or json: one line each")] = "table",
) -> None:
    """List the dead letters of a range of the broker's time, with how many there are of each reason."""
    settings, now = Settings.from_env(), dt.datetime.now(dt.UTC)
    with store.connect(settings) as session:
        found = list(dead_letters.read(session, moment(since, now), moment(until, now), reason))
    if format_ == "json":
        for letter in found[:limit]:
            sys.stdout.write(json.dumps(_plain(letter), ensure_ascii=False) + "\n")
        return
    if format_ != "table":
        raise ClicktrailError(f"--format is table or json, not {format_!r}")
    console = Console()
    if found[:limit]:
        console.print(_table(found[:limit]))
    counts = ", ".join(f"{count:,} {name}" for name, count in dead_letters.by_reason(found).items())
    shown = f", {limit} shown" if len(found) > limit else ""
    console.print(
        f"{len(found):,} dead letters{shown}{': ' + counts if counts else ''}", highlight=False, soft_wrap=True
    )


@app.command("replay")
def replay(
    since: _Since,
    until: _Until = "now",
    reason: _Reason = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say how many there are")] = False,
) -> None:
    """Send the original bytes of dead letters to the source topic again, under their keys.

    What is still wrong becomes a dead letter anew; what was an event all along lands on its row, once.
    """
    settings, now = Settings.from_env(), dt.datetime.now(dt.UTC)
    with store.connect(settings) as session:
        chosen = list(dead_letters.read(session, moment(since, now), moment(until, now), reason))
    if chosen and not dry_run:
        with Sender(settings) as sender:
            for letter in chosen:
                sender.send(letter.key, letter.original)
    counts = ", ".join(f"{count:,} {name}" for name, count in dead_letters.by_reason(chosen).items())
    done = "would be sent" if dry_run else "sent"
    Console().print(
        f"{len(chosen):,} dead letters {done} to {settings.source_topic}{': ' + counts if counts else ''}",
        highlight=False,
        soft_wrap=True,
    )


def moment(text: str, now: dt.datetime) -> dt.datetime:
    """``now``, ``24h`` or ``7d`` before it, or an ISO time (UTC where it names no zone).

    Raises:
        ClicktrailError: none of them.
    """
    if text == "now":
        return now
    units = {"m": "minutes", "h": "hours", "d": "days"}
    try:
        if text[-1:] in units and text[:-1].isdigit():
            return now - dt.timedelta(**{units[text[-1]]: int(text[:-1])})
        parsed = dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise ClicktrailError(f"{text!r} is no time; write now, 24h, 7d or 2026-11-21T09:00") from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)


def _table(letters: list[DeadLetter]) -> Table:
    table = Table()
    for column in ("received (UTC)", "place", "reason", "detail", "original"):
        table.add_column(column, overflow="fold")
    for letter in letters:
        table.add_row(
            f"{letter.received_at:%Y-%m-%d %H:%M:%S}",
            f"{letter.topic}/{letter.partition}/{letter.offset}",
            letter.reason,
            Text(letter.detail or ""),
            Text(_shown(letter.original)),
        )
    return table


def _shown(original: bytes | None) -> str:
    if original is None:
        return "(null)"
    text = original[: _SHOWN * 4].decode("utf-8", "backslashreplace")
    plain = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return plain if len(plain) <= _SHOWN and len(original) <= _SHOWN * 4 else plain[:_SHOWN] + "…"


def _plain(letter: DeadLetter) -> dict[str, object]:
    return {
        "received_at": letter.received_at.isoformat(),
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "detail": letter.detail,
        "original": None if letter.original is None else letter.original.decode("utf-8", "backslashreplace"),
    }
