from __future__ import annotations

import json
import re

import pytest

from clicktrail.workflow.window import NothingNewError, Span, Window, WorkflowError, next_window

TOPIC = "clicks"


def test_first_window_begins_at_what_the_broker_has() -> None:
    window = next_window(TOPIC, {0: (5, 10), 1: (0, 3)}, {})
    assert window == Window(TOPIC, (Span(0, 5, 10), Span(1, 0, 3)))
    assert window.size == 8
    assert window.ends() == {0: 10, 1: 3}


def test_next_window_begins_where_the_audit_ended() -> None:
    assert next_window(TOPIC, {0: (0, 10), 1: (0, 3)}, {0: 7, 1: 3}).spans == (Span(0, 7, 10),)


def test_a_new_partition_is_taken_from_its_first_offset() -> None:
    assert next_window(TOPIC, {0: (0, 10), 1: (0, 4)}, {0: 10}).spans == (Span(1, 0, 4),)


@pytest.mark.parametrize("marks", [{0: (0, 0)}, {0: (4, 4), 1: (0, 0)}, {}])
def test_nothing_new(marks: dict[int, tuple[int, int]]) -> None:
    with pytest.raises(NothingNewError, match="nothing is new in clicks"):
        next_window(TOPIC, marks, {0: 4} if 1 in marks else {})


def test_offsets_out_of_retention_are_named() -> None:
    with pytest.raises(WorkflowError, match=re.escape("5 offsets of clicks fell out")) as error:
        next_window(TOPIC, {0: (8, 10), 1: (2, 9)}, {0: 4, 1: 1})
    assert "partition 0 offsets 4 to 7; partition 1 offsets 1 to 1" in str(error.value)
    assert "accept_expired" in str(error.value)


def test_expired_offsets_can_be_accepted() -> None:
    window = next_window(TOPIC, {0: (8, 10), 1: (2, 9)}, {0: 4, 1: 1}, accept_expired=True)
    assert window.spans == (Span(0, 8, 10), Span(1, 2, 9))


def test_all_of_it_expired_and_nothing_new() -> None:
    with pytest.raises(WorkflowError, match="fell out"):
        next_window(TOPIC, {0: (10, 10)}, {0: 4})
    with pytest.raises(NothingNewError):
        next_window(TOPIC, {0: (10, 10)}, {0: 4}, accept_expired=True)


def test_a_topic_made_anew_is_red_and_not_silently_passed() -> None:
    with pytest.raises(WorkflowError, match=re.escape("partition 0 was audited to 20 and ends at 3")):
        next_window(TOPIC, {0: (0, 3)}, {0: 20})


def test_json_round_trip_by_way_of_text() -> None:
    window = Window(TOPIC, (Span(0, 7, 10), Span(11, 0, 2)))
    text = json.dumps(window.to_json())
    assert json.loads(text)["partitions"] == {"0": [7, 10], "11": [0, 2]}
    assert Window.from_json(json.loads(text)) == window


def test_what_people_read_names_the_last_offset() -> None:
    assert str(Window(TOPIC, (Span(0, 7, 10),))) == "3 offsets of clicks: partition 0 offsets 7 to 9"
