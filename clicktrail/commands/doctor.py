"""``clicktrail doctor``: looks for what people trip over."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.text import Text

from clicktrail.doctor import Level, examine
from clicktrail.settings import Settings

_SIGNS = {Level.GOOD: ("✓", "green"), Level.NOTE: ("·", "yellow"), Level.BAD: ("✗", "red")}


def doctor() -> None:
    """Look for what people trip over, with the cure for each; exits with 1 where something is wrong."""
    findings = examine(Settings.from_env())
    console = Console(soft_wrap=True, highlight=False)
    for finding in findings:
        sign, style = _SIGNS[finding.level]
        console.print(Text.assemble((sign, style), " ", (f"{finding.check:<11}", "bold"), " ", finding.said))
        if finding.cure:
            console.print(Text.assemble("              → ", (finding.cure, "cyan")))
    wrong = sum(finding.level is Level.BAD for finding in findings)
    if wrong:
        console.print(Text(f"{wrong} to put right", style="red"))
        raise typer.Exit(1)
    console.print(Text("Nothing is wrong.", style="green"))
