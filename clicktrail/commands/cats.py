"""``clicktrail cats``: what people looked at, and what they liked."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clicktrail.cats.store import load_analytics
from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings

WIDE_ENOUGH = 140
"""Columns that the table needs with the times in it."""


class By(StrEnum):
    """What a row stands for."""

    PHOTO = "photo"
    BREED = "breed"


class Format(StrEnum):
    """How the rows are written."""

    TABLE = "table"
    JSON = "json"


def cats(
    by: Annotated[By, typer.Option(help="A row for each photo, or for each breed.")] = By.PHOTO,
    limit: Annotated[int, typer.Option(min=1, help="The most rows to show.")] = 20,
    output: Annotated[Format, typer.Option("--format", help="For people or for programs.")] = Format.TABLE,
) -> None:
    """Show the cat photo analytics: views, likes, like rate; the most viewed first."""
    folder = Settings.from_env().cat_folder
    analytics = load_analytics(folder)
    if analytics is None:
        raise ClicktrailError(
            f"There are no cat photo analytics in {folder} yet. Make some: clicktrail run cat_photo_dag"
        )
    rows = rows_of(analytics, by)[:limit]
    console = Console()
    if output is Format.JSON:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if not console.is_terminal:
        console = Console(width=max(console.width, WIDE_ENOUGH))
    console.print(table_of(rows, by, analytics, wide=console.width >= WIDE_ENOUGH))


def rows_of(analytics: dict[str, Any], by: By) -> list[dict[str, Any]]:
    """The rows of the table, the most viewed first."""
    named = analytics["photos"] if by is By.PHOTO else analytics["breeds"]
    rows = [{by.value: name, **row} for name, row in named.items()]
    return sorted(rows, key=lambda row: (-row["views"], -row["likes"], row[by.value]))


def table_of(rows: list[dict[str, Any]], by: By, analytics: dict[str, Any], *, wide: bool) -> Table:
    """The table; addresses of images are links, and are written in full."""
    table = Table(
        title=f"Cat photos: {analytics['events']:,} events, {len(analytics['photos']):,} photos",
        caption=f"as of {analytics['generated_at']}",
    )
    if not wide:
        table.box, table.padding, table.pad_edge = box.SIMPLE, (0, 1, 0, 0), False
    table.add_column("Breed", style="cyan", max_width=24)
    for heading in ("Views", "Likes", "Like rate" if wide else "Rate"):
        table.add_column(heading, justify="right")
    if wide or by is By.BREED:
        table.add_column("First seen", no_wrap=True)
        table.add_column("Last seen", no_wrap=True)
    if by is By.PHOTO:
        table.add_column("Image", no_wrap=True, overflow="ignore")
    for row in rows:
        breed = ", ".join(row["breeds"]) if by is By.PHOTO else row["breed"]
        rate = "–" if row["like_rate"] is None else f"{row['like_rate']:.1%}"
        cells: list[str | Text] = [Text(breed or "–"), f"{row['views']:,}", f"{row['likes']:,}", rate]
        if wide or by is By.BREED:
            cells += [_minute(row["first_seen"]), _minute(row["last_seen"])]
        if by is By.PHOTO:
            cells.append(Text(row["url"], style=f"link {row['url']}"))
        table.add_row(*cells)
    return table


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
