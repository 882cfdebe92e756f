"""What all layers share: markers by folder, the cheap layers first, and an orderly end on SIGTERM."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
LAYERS = ("unit", "compose", "dags", "spark", "integration")
MARKED = {"dags", "spark", "integration"}


def pytest_configure(config: pytest.Config) -> None:
    """End on SIGTERM as on Ctrl-C, so that fixtures stop their servers; forget the developer's own settings."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith("CLICKTRAIL_")]:
        del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        layer = _layer(item)
        if layer in MARKED:
            item.add_marker(layer)
        if layer == "unit":
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1", "::1"]))
    items.sort(key=lambda item: LAYERS.index(_layer(item)))


def _layer(item: pytest.Item) -> str:
    try:
        folder = item.path.relative_to(ROOT).parts[0]
    except ValueError:
        return "unit"
    return folder if folder in LAYERS else "unit"
