"""Waiting for another driver: until the ledger covers a window of offsets."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from clicktrail import store
from clicktrail.errors import ClicktrailError
from clicktrail.job import ledger
from clicktrail.settings import Settings

logger = logging.getLogger(__name__)

Window = Mapping[int, tuple[int, int]]
"""A source partition's first offset and the offset behind its last."""

_LOOK = 2.0
_STALLED = 600.0
_LOOK_BACK = timedelta(days=60)  # the other driver may have done the window long before


def parse_window(text: str) -> dict[int, tuple[int, int]]:
    """A window from ``{"0": [first, end], …}``; nothing where ``text`` is empty.

    Raises:
        ClicktrailError: other text.
    """
    if not text.strip():
        return {}
    try:
        return {int(partition): (int(first), int(end)) for partition, (first, end) in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ClicktrailError(f'--window must be like {{"0": [0, 100]}}, not {text[:100]!r}') from error


def wait_until_covered(settings: Settings, window: Window, stalled_after: float = _STALLED) -> None:
    """Return once the ledger covers ``window``.

    Raises:
        ClicktrailError: nothing of it was covered for ``stalled_after`` seconds.
    """
    first_day = (datetime.now(UTC) - _LOOK_BACK).date()
    before, since = -1, time.monotonic()
    with store.connect(settings) as session:
        while True:
            done = ledger.read(session, window, first_day, datetime.now(UTC).date())
            gaps = [ledger.missing(done, partition, first, end) for partition, (first, end) in window.items()]
            missing = sum(end - first for ranges in gaps for first, end in ranges)
            if not missing:
                return
            if missing != before:
                logger.info("the running driver has %d offsets of the window to go", missing)
                before, since = missing, time.monotonic()
            if time.monotonic() - since > stalled_after:
                raise ClicktrailError(
                    f"the running driver made no progress for {stalled_after:.0f} s; {missing} offsets are open"
                )
            time.sleep(_LOOK)
