"""What repeated measurements say: middle and range, percentiles, and a drain's start-up and steady rate taken apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Spread:
    """Repeated measurements of one thing."""

    median: float
    least: float
    most: float
    count: int


def spread(values: Sequence[float]) -> Spread:
    """Median and range of at least one value."""
    return Spread(median(values), min(values), max(values), len(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` (0 to 1) of the values do not exceed, by nearest rank: always one that was measured."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(frozen=True)
class Line:
    """Seconds = ``startup`` + events / ``rate``."""

    startup: float
    """Seconds before the first event is worked on."""
    rate: float
    """Events a second from then on; infinite where more events took no more time."""
    misfit: float
    """Largest distance of a measurement from the line, as a share of what was measured."""

    def seconds(self, events: float) -> float:
        """What the line says for so many events."""
        return self.startup + events / self.rate


def fit(points: Sequence[tuple[float, float]]) -> Line | None:
    """The line through (events, seconds) that is best by relative error; None for fewer than two sizes.

    Neither the start nor the price of an event can be negative: where the best line says so, the best one without is
    taken.
    """
    if len({events for events, _ in points}) < 2:
        return None
    weights = [1 / seconds**2 for _, seconds in points]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    across = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True))
    along = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    price = across / along
    startup = mean_y - price * mean_x
    if price <= 0:
        price, startup = 0.0, mean_y
    elif startup < 0:
        startup = 0.0
        price = sum(w * x * y for w, (x, y) in zip(weights, points, strict=True)) / sum(
            w * x * x for w, (x, _) in zip(weights, points, strict=True)
        )
    misfit = max(abs(startup + price * x - y) / y for x, y in points)
    return Line(startup, 1 / price if price else math.inf, misfit)
