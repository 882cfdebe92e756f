"""Sends a file that you already have to Kafka: Segment JSON lines, an access log, CSV, sessions of the OTTO dataset.

    python -m producers.replay_producer access.log --format combined-log --site www.example.org

It is the same as ``clicktrail replay``. A file replayed twice gives the same events with the same ids: nothing doubles.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from clicktrail.commands.replay import replay
from clicktrail.errors import ClicktrailError
from clicktrail.settings import SettingsError


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments, send, say what was sent; 0 where all of it arrived."""
    app = typer.Typer(add_completion=False)
    app.command()(replay)
    try:
        app(list(sys.argv[1:] if argv is None else argv), prog_name="python -m producers.replay_producer")
    except SystemExit as ended:
        return int(ended.code or 0)
    except (ClicktrailError, SettingsError) as error:
        from rich.console import Console

        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
