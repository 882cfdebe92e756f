"""Simulated clicks of visitors who walk through a shop: pure functions of a seed and a run."""

from clicktrail.simulate.clicks import DUPLICATE, Order, clicks, labelled_clicks
from clicktrail.simulate.clock import end_of_run

__all__ = ["DUPLICATE", "Order", "clicks", "end_of_run", "labelled_clicks"]
