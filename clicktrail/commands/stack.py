"""``clicktrail up|down|status|logs|reset``: the embedded servers."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from clicktrail import jars
from clicktrail.errors import ClicktrailError
from clicktrail.servers import Stack, State, Status
from clicktrail.servers.process import Files
from clicktrail.settings import Settings

STYLES = {
    State.SERVING: "green",
    State.STARTING: "yellow",
    State.WAITING: "dim",
    State.STOPPED: "dim",
    State.UNHEALTHY: "red",
}
_FOLLOW_EVERY = 0.3  # seconds


def up(
    services: Annotated[
        list[str] | None, typer.Argument(help="Only these, and what they need; all by default.")
    ] = None,
) -> None:
    """Start the embedded servers and wait until they serve."""
    settings = Settings.from_env()
    start_stack(settings, services)
    console = Console()
    for line in addresses(settings):
        console.print(line, highlight=False, soft_wrap=True)


def down() -> None:
    """Stop the embedded servers; their data stays."""
    stopped = Stack(Settings.from_env()).down()
    Console().print(
        f"Stopped: {', '.join(stopped)}." if stopped else "Nothing is running.", highlight=False, soft_wrap=True
    )


def status() -> None:
    """Show what each server is doing; exits with 1 where one does not serve."""
    settings = Settings.from_env()
    lines = Stack(settings).status()
    Console().print(status_table(lines))
    if any(line.state is not State.SERVING for line in lines):
        raise typer.Exit(1)


def logs(
    service: Annotated[str, typer.Argument(help="Its name, as `clicktrail status` shows it.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 50,
) -> None:
    """Show the log of a server."""
    files = Files(Settings.from_env().home)
    path = files.log(service)
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in files.logs.glob("*.log"))) or "none; nothing was started yet"
        raise ClicktrailError(f"There is no log of {service!r}. Logs: {known}.")
    _show(path, lines, follow)


def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the embedded servers and delete all of their data."""
    settings = Settings.from_env()
    if not settings.home.exists():
        Console().print(f"There is nothing in {settings.home}.", highlight=False, soft_wrap=True)
        return
    if not yes and not typer.confirm(f"Delete all topics, tables, checkpoints and logs in {settings.home}?"):
        raise typer.Exit(1)
    Stack(settings).down()
    shutil.rmtree(settings.home)
    Console().print(f"Deleted {settings.home}.", highlight=False, soft_wrap=True)


def start_stack(settings: Settings, services: list[str] | None = None) -> None:
    """Bring the stack up and show how far it is."""
    console = Console()
    jars.install(progress=lambda done, total: _say_jars(console, done, total))
    board = Board()
    began = time.monotonic()
    if console.is_terminal:
        with Live(board, console=console, refresh_per_second=8):
            started = Stack(settings).up(services, board.note)
    else:
        started = Stack(settings).up(services, lambda name, state: _say_state(console, board, name, state))
    seconds = time.monotonic() - began
    said = f"Up in {seconds:.0f} s." if started else "Everything is up already."
    console.print(said, style="green", highlight=False)


def addresses(settings: Settings) -> list[str]:
    """What to open or to connect to, a line each."""
    return [
        f"Airflow    http://{settings.host}:{settings.airflow_port}",
        f"Kafka      {settings.bootstrap_servers}",
        f"Cassandra  {settings.host}:{settings.cassandra_port}   (clicktrail cqlsh)",
    ]


class Board:
    """Which service is in which state since when; renders as a table for :class:`rich.live.Live`."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._states: dict[str, tuple[State, float]] = {}
        self._spinner = Spinner("dots")
        self._lock = threading.Lock()

    def note(self, name: str, state: State) -> float:
        """Take note of a state; returns the seconds since the beginning."""
        seconds = time.monotonic() - self._began
        with self._lock:
            self._states[name] = (state, seconds)
        return seconds

    def __rich__(self) -> Table:
        """The table of this moment."""
        table = Table.grid(padding=(0, 2))
        with self._lock:
            states = dict(self._states)
        for name, (state, seconds) in states.items():
            busy = state is State.STARTING
            shown = time.monotonic() - self._began if state is not State.SERVING else seconds
            table.add_row(
                self._spinner if busy else Text("✓" if state is State.SERVING else "·", style=STYLES[state]),
                Text(name),
                Text(str(state), style=STYLES[state]),
                Text(f"{shown:.0f} s", style="dim"),
            )
        return table


def status_table(lines: list[Status]) -> Table:
    """The table of ``clicktrail status``."""
    table = Table()
    for heading in ("Service", "State", "Port", "Pid", "Memory", "Up"):
        table.add_column(heading, justify="right" if heading in {"Port", "Pid", "Memory", "Up"} else "left")
    for line in lines:
        runs = line.pid is not None
        table.add_row(
            line.name,
            Text(f"{line.state}{': ' if line.detail else ''}{line.detail}", style=STYLES[line.state]),
            ", ".join(str(port) for port in line.ports),
            str(line.pid) if runs else "",
            f"{line.memory_mb:,} MB" if runs else "",
            _duration(line.seconds) if runs else "",
        )
    memory = sum(line.memory_mb for line in lines)
    if memory:
        table.caption = f"{memory:,} MB in all"
    return table


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _say_jars(console: Console, done: int, total: int) -> None:
    if done == total or done % 50 == 0:
        console.print(f"jars: {done} of {total}", highlight=False)


def _say_state(console: Console, board: Board, name: str, state: State) -> None:
    seconds = board.note(name, state)
    if state in {State.STARTING, State.SERVING}:
        console.print(f"{seconds:5.1f} s  {name}: {state}", highlight=False)


def _show(path: Path, lines: int, follow: bool) -> None:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in deque(file, maxlen=lines):
            typer.echo(line, nl=False)
        try:
            while follow:
                if line := file.readline():
                    typer.echo(line, nl=False)
                else:
                    time.sleep(_FOLLOW_EVERY)
        except KeyboardInterrupt:
            return
