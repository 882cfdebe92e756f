"""Counts what the event file says: views, likes, like rate, first and last seen, per photo and per breed.

A :class:`Tally` is a fold over the file's lines. It also remembers where the file stands (bytes, the next offset of
each partition, how far each batch came), so that it can be saved with the analytics and go on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NO_BREED = "unknown"
"""Stands for the breed of a photo that came without one."""
BATCHES_KEPT = 2_000
"""Batches that repeats can be told of: a week of runs every five minutes."""


@dataclass
class Tally:
    """What the first ``file_bytes`` bytes of the event file add up to."""

    file_bytes: int = 0
    events: int = 0
    rejected: int = 0
    repeats: int = 0
    """Events that a sender sent again; they are not in the file, and known only since the last start."""
    next_offsets: dict[str, int] = field(default_factory=dict)
    batches: dict[str, dict[str, int]] = field(default_factory=dict)
    photos: dict[str, dict[str, Any]] = field(default_factory=dict)
    breeds: dict[str, dict[str, Any]] = field(default_factory=dict)

    def knows_offset(self, partition: int, offset: int) -> bool:
        """Whether the file has this offset already, or has passed it."""
        return offset < self.next_offsets.get(str(partition), 0)

    def is_repeat(self, partition: int, event: dict[str, Any]) -> bool:
        """Whether the sender has sent this event before: a batch keeps its order within a partition."""
        return bool(event["sequence"] <= self.batches.get(event["batch"], {}).get(str(partition), 0))

    def add(self, line: dict[str, Any], size: int) -> None:
        """Take one line of the file, ``size`` bytes long."""
        partition = str(line["partition"])
        self.file_bytes += size
        self.next_offsets[partition] = line["offset"] + 1
        if "rejected" in line:
            self.rejected += 1
            return
        self.events += 1
        self._note_batch(line["batch"], partition, line["sequence"])
        _count(self.photos.setdefault(line["photo_id"], {"url": line["url"], "breeds": line["breeds"]}), line)
        for breed in line["breeds"] or [NO_BREED]:
            _count(self.breeds.setdefault(breed, {}), line)

    def _note_batch(self, batch: str, partition: str, sequence: int) -> None:
        self.batches.setdefault(batch, {})[partition] = sequence
        while len(self.batches) > BATCHES_KEPT:
            del self.batches[next(iter(self.batches))]

    def to_json(self, generated_at: str) -> dict[str, Any]:
        """The analytics as they stand in ``cat_photo_analytics.json``."""
        return {
            "generated_at": generated_at,
            "events": self.events,
            "rejected": self.rejected,
            "photos": self.photos,
            "breeds": self.breeds,
            "state": {"file_bytes": self.file_bytes, "next_offsets": self.next_offsets, "batches": self.batches},
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Tally:
        """The tally that :meth:`to_json` saved.

        Raises:
            KeyError: it is something else.
        """
        state = saved["state"]
        return cls(
            file_bytes=state["file_bytes"],
            events=saved["events"],
            rejected=saved["rejected"],
            next_offsets=state["next_offsets"],
            batches=state["batches"],
            photos=saved["photos"],
            breeds=saved["breeds"],
        )


def _count(row: dict[str, Any], line: dict[str, Any]) -> None:
    row["views"] = row.get("views", 0) + (line["event"] == "view")
    row["likes"] = row.get("likes", 0) + (line["event"] == "like")
    row["like_rate"] = round(row["likes"] / row["views"], 4) if row["views"] else None
    row["first_seen"] = min(row.get("first_seen", line["time"]), line["time"])
    row["last_seen"] = max(row.get("last_seen", line["time"]), line["time"])
