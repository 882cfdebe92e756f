"""``clicktrail demo``: the servers, one run of the main DAG with some clicks, and what came out of it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from clicktrail.commands.stack import addresses, start_stack
from clicktrail.settings import Settings


def demo(count: Annotated[int, typer.Option(min=1, help="How many clicks are simulated.")] = 20_000) -> None:
    """Start everything, send clicks through the whole pipeline, and show what went in and came out."""
    from clicktrail.commands.run import run

    settings = Settings.from_env()
    start_stack(settings)
    console = Console()
    try:
        run(count=count, invalid=0.01, duplicates=0.01)
    finally:
        for line in addresses(settings):
            console.print(line, highlight=False, soft_wrap=True)
    console.print("Stop it all with: make down", style="dim", highlight=False)
