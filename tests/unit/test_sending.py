"""What sending does without a broker: the partition of a key, and the progress bar."""

from __future__ import annotations

import io

import pytest
from kafka.partitioner import DefaultPartitioner
from rich.console import Console

from clicktrail import sending
from clicktrail.progress import counting
from clicktrail.sending import RememberingPartitioner


class Cluster:
    """As much of kafka-python's metadata as a partitioner asks for."""

    def __init__(self, partitions: int) -> None:
        self.partitions = set(range(partitions))

    def topics(self):
        return {"t"}

    def partitions_for_topic(self, topic):
        return self.partitions

    available_partitions_for_topic = partitions_for_topic


KEYS = [b"", b"a", "café".encode(), b"x" * 70_000, *(f"customer-{n:07d}".encode() for n in range(200))]


@pytest.mark.parametrize("partitions", [1, 4, 7])
def test_a_key_has_the_partition_that_every_client_gives_it(partitions):
    ours, usual, cluster = RememberingPartitioner(), DefaultPartitioner(), Cluster(partitions)
    for _ in range(2):
        for key in KEYS:
            assert ours.partition("t", None, key, None, None, cluster) == usual.partition(
                "t", None, key, None, None, cluster
            )


def test_more_partitions_are_noticed():
    ours = RememberingPartitioner()
    spread = [{ours.partition("t", None, key, None, None, Cluster(number)) for key in KEYS} for number in (2, 8)]
    assert spread == [set(range(2)), set(range(8))]


def test_without_a_key_any_partition_will_do():
    ours = RememberingPartitioner()
    assert {ours.partition("t", None, None, None, None, Cluster(3)) for _ in range(300)} == {0, 1, 2}


def test_it_remembers_so_many_keys_and_no_more(monkeypatch):
    monkeypatch.setattr(sending, "_MOST_KEYS", 10)
    ours = RememberingPartitioner()
    for key in KEYS:
        ours.partition("t", None, key, None, None, Cluster(3))
        assert len(ours._hashes) <= 10


def test_a_bar_is_shown_on_a_terminal_alone():
    for terminal, shown in ((True, "1200/1200"), (False, "")):
        written = io.StringIO()
        with counting(Console(file=written, force_terminal=terminal, width=100), "clicks", 1200) as tick:
            for _ in range(1200):
                tick()
        assert shown in written.getvalue()
        assert bool(written.getvalue()) == terminal


def test_no_console_no_bar():
    with counting(None, "clicks", 1) as tick:
        tick()
