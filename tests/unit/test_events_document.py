"""The page about transformed events is the one that the declaration makes."""

from pathlib import Path

from clicktrail.events import FIELDS, document

PAGE = Path(__file__).resolve().parents[2] / "docs" / "transformed_clickstream.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), "run: python -m clicktrail.events"


def test_the_page_has_a_row_for_each_field() -> None:
    lines = document().splitlines()
    for field in FIELDS:
        always = "yes" if field.required else ""
        assert f"| `{field.name}` | {field.kind} | {always} | {field.meaning} |" in lines
