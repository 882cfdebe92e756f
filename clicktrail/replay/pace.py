"""How fast a file is replayed: as its events came, faster by a factor, or as fast as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from clicktrail.errors import ClicktrailError


def parse_speed(text: str) -> float:
    """``original`` is 1, ``max`` is 0, anything else a factor.

    Raises:
        ClicktrailError: none of them.
    """
    named = {"original": 1.0, "max": 0.0}
    try:
        factor = named[text] if text in named else float(text)
    except ValueError:
        factor = -1
    if not 0 <= factor < float("inf") or (factor == 0 and text != "max"):
        raise ClicktrailError(f"--speed is original, max or a factor above 0 such as 60, not {text!r}")
    return factor


@dataclass
class Pace:
    """Waits until an event is due.

    Attributes:
        factor: how much faster than the original; 0 waits never.
        clock: seconds that only grow.
        sleep: waits for so many seconds.
    """

    factor: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _origin: tuple[int, float] | None = field(default=None, init=False)

    def wait_for(self, moment: int | None) -> None:
        """Wait until the event of this moment (ms since 1970) is due; one that lies back is due at once."""
        if not self.factor or moment is None:
            return
        if self._origin is None:
            self._origin = moment, self.clock()
        first, began = self._origin
        wait = began + (moment - first) / 1000 / self.factor - self.clock()
        if wait > 0:
            self.sleep(wait)
