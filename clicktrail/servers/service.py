"""What the embedded stack has to know about one server."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


def _nothing() -> None:
    """The default of the hooks."""


@dataclass(frozen=True)
class Service:
    """One server: how it is started, and how one knows that it serves.

    Attributes:
        name: what people call it; also the name of its log and of its pid file.
        command: program and arguments.
        check: whether it serves: returns None, or the reason why it does not (yet). It raises nothing and returns
            within seconds. It proves service (an answer to a real request), not an open port.
        env: changes to the environment it is started with.
        ports: setting to port, such as ``{"kafka_port": 9092}``: they must be free before the start.
        after: names of the services that must serve before this one is started.
        prepare: is called before the start: writes configuration, makes folders.
        ready: is called each time that it was found to serve: makes topics, applies a schema. Must be idempotent.
        memory_mb: what it needs, all its processes together.
        patience: seconds that a start may take.
        restarts: how often it is started again where it ends by itself before it serves.
        grace: seconds between SIGTERM and SIGKILL.
        folder: its working directory; the state folder by default.
    """

    name: str
    command: tuple[str, ...]
    check: Callable[[], str | None]
    env: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    prepare: Callable[[], None] = _nothing
    ready: Callable[[], None] = _nothing
    memory_mb: int = 100
    patience: float = 300.0
    restarts: int = 0
    grace: float = 30.0
    folder: Path | None = None


def port_open(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False
