"""Stores the events of ``cat_photo_events`` in a JSON file, each once, and what they add up to beside it."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from clicktrail.cats import consume as cats
from clicktrail.cats.consume import BATCH, Outcome, consume
from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings, SettingsError

logger = logging.getLogger(__name__)


def drain(settings: Settings) -> Outcome:
    """Take what is in the topic now and stop."""
    outcome = cats.drain(settings, settings.cat_folder)
    logger.info("%d of %d polled events are new in %s", outcome.written, outcome.polled, settings.cat_folder)
    return outcome


def main(arguments: list[str] | None = None) -> int:
    """Run until the topic's end, or with ``--follow`` until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="cat_photo_consumer", description=__doc__)
    parser.add_argument("--follow", action="store_true", help="go on at the end of the topic")
    parser.add_argument("--from-beginning", action="store_true", help="read the topic from its first offset")
    parser.add_argument(
        "--batch", type=int, default=BATCH, help=f"events written and committed at once (default {BATCH})"
    )
    parser.add_argument("--folder", type=Path, help="where the files go (default: cats in CLICKTRAIL_HOME)")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        settings = Settings.from_env()
        outcome = consume(
            settings,
            given.folder or settings.cat_folder,
            follow=given.follow,
            from_beginning=given.from_beginning,
            batch=given.batch,
            stop=stopping.is_set,
        )
    except (ClicktrailError, SettingsError) as error:
        logger.error("%s", error)
        return 1
    logger.info("%d events are new, %d were polled", outcome.written, outcome.polled)
    return 0


if __name__ == "__main__":
    sys.exit(main())
