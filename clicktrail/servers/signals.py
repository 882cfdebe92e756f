"""How the servers written in Python learn that they are to end."""

from __future__ import annotations

import signal
import threading
from types import FrameType


def told_to_end() -> threading.Event:
    """An event that is set by SIGTERM or SIGINT from now on."""
    event = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        event.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return event
