"""The command ``clicktrail``: every command is a function of a module in :mod:`clicktrail.commands`."""

from __future__ import annotations

import logging
import sys

import typer
from rich.console import Console
from rich.text import Text

from clicktrail.commands import dead_letters, sales
from clicktrail.commands.cats import cats
from clicktrail.commands.demo import demo
from clicktrail.commands.doctor import doctor
from clicktrail.commands.query import cqlsh, query
from clicktrail.commands.replay import replay
from clicktrail.commands.report import report
from clicktrail.commands.run import run
from clicktrail.commands.stack import down, logs, reset, status, up
from clicktrail.errors import ClicktrailError
from clicktrail.settings import SettingsError

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

app = typer.Typer(
    name="clicktrail",
    help="A self-hosted clickstream pipeline: Kafka, Spark, Cassandra, Airflow.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(up)
app.command()(down)
app.command()(status)
app.command()(logs)
app.command()(reset)
app.command()(doctor)
app.command()(demo)
app.command()(run)
app.command()(replay)
app.command()(report)
app.add_typer(dead_letters.app, name="dead-letters")
app.command()(query)
app.command(context_settings=PASS_ON)(cqlsh)
app.command()(cats)
app.add_typer(sales.app, name="sales")


def main() -> None:
    """Run a command; what a person can put right is said in a sentence, and the exit code is 1."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("cassandra").setLevel(logging.CRITICAL)  # pages of traces for what is said in a sentence
    try:
        app()
    except (ClicktrailError, SettingsError) as error:
        Console(stderr=True, soft_wrap=True).print(Text(str(error), style="red"))
        sys.exit(1)


if __name__ == "__main__":
    main()
