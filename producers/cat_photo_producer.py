"""Fetches photos from The Cat API, simulates views and likes, and sends them to ``cat_photo_events``."""

from __future__ import annotations

import argparse
import logging
import sys
from datetime import UTC, datetime

from clicktrail.cats.broker import send
from clicktrail.cats.photos import CatApi, Photo, fetch_photos
from clicktrail.cats.simulate import iso, simulate
from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings, SettingsError

logger = logging.getLogger(__name__)


def fetch(count: int) -> list[Photo]:
    """Photos from the API that the environment names.

    Raises:
        ClicktrailError: there are none; the sentence says why.
    """
    photos = fetch_photos(CatApi.from_env(), count)
    logger.info("%d photos, %d of them with a breed", len(photos), sum(bool(photo["breeds"]) for photo in photos))
    return photos


def produce(
    photos: list[Photo], settings: Settings, *, seed: int, batch: str, until: datetime, mean_views: float
) -> int:
    """Simulate one batch and send it; the same arguments send the same events, which the consumer stores once.

    Returns:
        How many events the broker has acknowledged: all.
    """
    events = simulate(photos, seed, batch, until, mean_views=mean_views)
    sent = send(events, settings)
    logger.info("%d events of batch %s are in %s", sent, batch, settings.cat_topic)
    return sent


def main(arguments: list[str] | None = None) -> int:
    """Run once."""
    now = datetime.now(UTC)
    parser = argparse.ArgumentParser(prog="cat_photo_producer", description=__doc__)
    parser.add_argument("--photos", type=int, default=10, help="how many photos to fetch (default 10)")
    parser.add_argument("--mean-views", type=float, default=20.0, help="views a photo gets on average (default 20)")
    parser.add_argument("--seed", type=int, default=7, help="seed of the simulation (default 7)")
    parser.add_argument("--batch", default=iso(now), help="name of this lot of events (default: the time)")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        photos = fetch(given.photos)
        settings = Settings.from_env()
        produce(photos, settings, seed=given.seed, batch=given.batch, until=now, mean_views=given.mean_views)
    except (ClicktrailError, SettingsError) as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
