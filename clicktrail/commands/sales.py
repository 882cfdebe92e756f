"""``clicktrail sales``: a sample shop to try it with, days gone by, a day's numbers."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings

app = typer.Typer(help="Daily sales: a sample shop, days gone by, a day's numbers.", no_args_is_help=True)


@app.command()
def generate(
    last: Annotated[str, typer.Option(help="The last day, as in 2026-10-31; yesterday by default.")] = "",
    days: Annotated[int, typer.Option(min=1, max=400, help="How many days.")] = 31,
    seed: Annotated[int, typer.Option(help="Other seeds sell other things.")] = 20_260,
) -> None:
    """Write a sample shop's days into its database, API and drop folder; the same again changes nothing."""
    from clicktrail.sales.folders import Folders
    from clicktrail.sales.shop_sources import write_shop

    folders = Folders.of(Settings.from_env())
    end = _day(last)
    start = end - timedelta(days=days - 1)
    lines = write_shop(folders, start, end, seed)
    Console().print(f"{lines:,} lines from {start} to {end}, in {folders.database}, {folders.api} and {folders.drop}")


@app.command()
def show(day: Annotated[str, typer.Argument(help="As in 2026-10-31; yesterday by default.")] = "") -> None:
    """Show a day's numbers from the warehouse."""
    from clicktrail.sales.folders import Folders
    from clicktrail.sales.report import Part, Report, change, read_report
    from clicktrail.sales.warehouse import open_warehouse
    from clicktrail.sales.words import euros, long_date, per_cent

    settings = Settings.from_env()
    wanted = _day(day)
    with open_warehouse(settings) as warehouse:
        report: Report = read_report(warehouse, wanted)
    console = Console()
    today, yesterday, before = report.today, report.yesterday, report.week_ago
    console.print(f"[bold]{long_date(wanted)}[/bold]: net revenue [bold]{euros(today.net)}[/bold]", highlight=False)
    console.print(
        f"{per_cent(change(today.net, yesterday.net if yesterday else None), sign=True)} on the day before, "
        f"{per_cent(change(today.net, before.net if before else None), sign=True)} on last {wanted:%A}; "
        f"{today.orders:,} orders, {today.units:,} units, returns {euros(today.returned)}; "
        f"{report.lines_rejected:,} of {report.lines_read:,} lines rejected",
        highlight=False,
    )
    table = Table()
    table.add_column("")
    for heading in ("Orders", "Units", "Sales", "Returns", "Net"):
        table.add_column(heading, justify="right")
    groups: list[tuple[str, list[Part]]] = [
        ("Channels", report.channels),
        ("Categories", report.categories),
        ("Countries", report.countries),
        ("Top products", report.products),
    ]
    for title, parts in groups:
        table.add_row(f"[bold]{title}[/bold]")
        for part in parts:
            its = part.figures
            table.add_row(
                part.name, f"{its.orders:,}", f"{its.units:,}", euros(its.gross), euros(its.returned), euros(its.net)
            )
        table.add_section()
    console.print(table)
    pdf = Folders.of(settings).day(wanted) / f"sales-{wanted}.pdf"
    if pdf.exists():
        console.print(f"Report: {pdf}", soft_wrap=True, highlight=False)


@app.command()
def backfill(
    first: Annotated[str, typer.Argument(help="The first day, as in 2026-10-01.")],
    last: Annotated[str, typer.Argument(help="The last day; yesterday by default.")] = "",
) -> None:
    """Run the pipeline for days gone by, as one backfill of Airflow's; exits with 1 where a day is not green."""
    from clicktrail.sales.backfill import DAG, start
    from clicktrail.workflow.airflow_api import DONE, AirflowApi

    api = AirflowApi(Settings.from_env())
    console = Console()
    begin, end = _day(first), _day(last)
    with console.status("Airflow makes the runs"):
        runs = start(api, begin, end, datetime.now(UTC).date())
    states = dict.fromkeys(runs, "queued")
    with Progress(*Progress.get_default_columns(), console=console) as progress:
        bar = progress.add_task(DAG, total=len(runs))
        while not set(states.values()) <= DONE:
            time.sleep(1)
            states = {day: state if state in DONE else api.run_state(DAG, runs[day]) for day, state in states.items()}
            progress.update(bar, completed=sum(state in DONE for state in states.values()))
    if failed := [str(day) for day, state in states.items() if state != "success"]:
        raise ClicktrailError(f"Not green: {', '.join(failed)}; see {api.base}/dags/{DAG}")
    console.print(f"In the warehouse: {begin} to {end}, days: {len(runs)}", highlight=False)


def _day(text: str) -> date:
    if not text:
        return datetime.now(UTC).date() - timedelta(days=1)
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ClicktrailError(f"{text!r} is no day; write it as in 2026-10-31") from error
