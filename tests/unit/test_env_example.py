"""``.env.example`` lists each setting, with its default."""

from __future__ import annotations

import re
from dataclasses import fields

from clicktrail.settings import PREFIX, PROJECT, Settings

LINE = re.compile(r"^# (?P<name>[A-Z][A-Z0-9_]+)=(?P<value>.*)$", re.MULTILINE)
ABSOLUTE = {f"{PREFIX}HOME"}  # a default that depends on where the project lies


def listed() -> dict[str, str]:
    text = (PROJECT / ".env.example").read_text(encoding="utf-8")
    return {match["name"]: match["value"] for match in LINE.finditer(text) if match["name"].startswith(PREFIX)}


def test_every_setting_is_listed_with_its_default_and_nothing_else() -> None:
    expected = {PREFIX + spec.name.upper(): str(spec.default) for spec in fields(Settings)}
    assert listed() == expected | dict.fromkeys(ABSOLUTE, "")


def test_what_is_listed_gives_the_defaults() -> None:
    assert Settings.from_env(listed()) == Settings()


def test_every_setting_has_a_comment_above_it() -> None:
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if LINE.match(line) and not LINE.match(lines[number - 1]):
            assert lines[number - 1].startswith("# "), f"{line} stands without a word"
