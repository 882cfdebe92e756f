"""Replays files that somebody already has: Segment JSON lines, access logs, CSV, the OTTO dataset."""

from clicktrail.replay.run import FORMATS, Summary, find_format, replay, survey

__all__ = ["FORMATS", "Summary", "find_format", "replay", "survey"]
