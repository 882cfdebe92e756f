"""What the doctor finds."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from clicktrail import doctor, jars
from clicktrail.doctor import Finding, Level
from clicktrail.settings import Settings


def only(findings: object) -> Finding:
    (finding,) = list(findings)  # type: ignore[call-overload]
    return finding


def test_a_script_with_windows_line_ends_or_without_run_bit(tmp_path: Path) -> None:
    good, crlf, still = tmp_path / "good.sh", tmp_path / "crlf.sh", tmp_path / "still.sh"
    good.write_bytes(b"#!/bin/sh\nexit\n")
    crlf.write_bytes(b"#!/bin/sh\r\nexit\r\n")
    still.write_bytes(b"#!/bin/sh\nexit\n")
    good.chmod(0o755)
    crlf.chmod(0o755)
    still.chmod(0o644)

    found = {finding.said: finding for finding in doctor.check_scripts(tmp_path)}

    assert set(found) == {f"{crlf} has Windows line ends", f"{still} has no run bit"}
    assert all(finding.level is Level.BAD for finding in found.values())
    os.system(found[f"{crlf} has Windows line ends"].cure)
    os.system(found[f"{still} has no run bit"].cure)
    assert list(doctor.check_scripts(tmp_path)) == []


def test_the_scripts_of_the_project_are_good() -> None:
    assert list(doctor.check_scripts(doctor.PROJECT)) == []


def test_the_versions_of_the_project_agree() -> None:
    assert only(doctor.check_versions()).level is Level.GOOD
    assert only(doctor.check_python()).level is Level.GOOD
    assert list(doctor.check_driver()) == []


def test_a_jar_for_another_scala_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = jars.Jar("com.example:connector_2.13:1.0", "0" * 64)
    monkeypatch.setattr(jars, "locked", lambda: {"spark": (*[jars.Jar(r, "") for r in jars.ROOTS["spark"]], wrong)})

    finding = only(doctor.check_versions())

    assert finding.level is Level.BAD
    assert "another Scala than 2.12" in finding.said


@pytest.mark.parametrize(
    ("path", "level"),
    [
        ("", Level.GOOD),
        ("/tmp/checkpoint", Level.BAD),
        ("/var/lib/clicks", Level.GOOD),
        ("hdfs://cluster/checkpoint", Level.GOOD),
    ],
)
def test_a_checkpoint_that_a_reboot_empties(path: str, level: Level) -> None:
    assert only(doctor.check_checkpoint(Settings(checkpoint_dir=path))).level is level


def test_a_taken_port_is_found_with_its_owner(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        findings = {each.check: each for each in doctor.check_ports(Settings(home=tmp_path, cassandra_port=port))}

    assert findings[f"Port {port}"].level is Level.BAD
    assert f"pid {os.getpid()}" in findings[f"Port {port}"].said
    assert "CLICKTRAIL_CASSANDRA_PORT" in findings[f"Port {port}"].cure


def test_servers_that_do_not_run_are_a_note_with_the_command() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        finding = only(doctor.check_cassandra(Settings(cassandra_port=unused.getsockname()[1])))

    assert (finding.level, finding.cure) == (Level.NOTE, "clicktrail up")
