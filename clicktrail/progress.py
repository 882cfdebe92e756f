"""A progress bar for people at a terminal; nothing where no one looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

_EVERY = 500


@contextmanager
def counting(console: Console | None, what: str, total: int) -> Iterator[Callable[[], None]]:
    """Count up to ``total``; yields the function that counts one.

    Args:
        console: where the bar is shown, if it is a terminal.
        what: the word before the bar.
        total: how many are expected.
    """
    if console is None or not console.is_terminal:
        yield lambda: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total)
        counted = 0

        def tick() -> None:
            nonlocal counted
            counted += 1
            if counted % _EVERY == 0:
                progress.update(task, completed=counted)

        yield tick
        progress.update(task, completed=counted)
