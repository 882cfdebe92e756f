"""The one-shot services that make topics and schema: ``python -m clicktrail.compose.prepare topics|schema``."""

from __future__ import annotations

import logging
import sys

from rich.console import Console

from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings, SettingsError
from clicktrail.store import apply_schema
from clicktrail.topics import ensure_topics


def prepare(what: str, settings: Settings) -> str:
    """Make the topics or the tables that are missing; it can run again.

    Returns:
        A sentence for people.

    Raises:
        ClicktrailError: a server does not answer, or what exists is not as it must be.
    """
    if what == "topics":
        made = ensure_topics(settings)
        return f"topics: {', '.join(made) or 'none'} made, the others were there"
    if what == "schema":
        apply_schema(settings)
        return f"schema: keyspace {settings.cassandra_keyspace} is complete"
    raise ClicktrailError(f"Nothing is called {what!r}; say topics or schema")


def main() -> int:
    """Do what the arguments name, in order."""
    logging.basicConfig(level=logging.INFO)
    try:
        settings = Settings.from_env()
        for what in sys.argv[1:]:
            Console().print(prepare(what, settings), highlight=False, soft_wrap=True)
    except (ClicktrailError, SettingsError) as error:
        Console(stderr=True).print(str(error), style="red", highlight=False, soft_wrap=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
