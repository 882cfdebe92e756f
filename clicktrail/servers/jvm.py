"""How the servers that run on Java are started."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from clicktrail import jars
from clicktrail.java import find_java
from clicktrail.settings import Settings

LOGGING = Path(__file__).with_name("logback.xml")


def java_command(
    settings: Settings, jar_set: str, main: str, *arguments: str, options: Sequence[str] = ()
) -> tuple[str, ...]:
    """The command of a server: jars on the class path, log to standard output, temporary files in the state folder."""
    return (
        str(find_java()),
        "-server",
        "-XX:+ExitOnOutOfMemoryError",
        f"-Dlogback.configurationFile={LOGGING}",
        f"-Djava.io.tmpdir={settings.home / 'tmp'}",
        "-Djava.awt.headless=true",
        "-Djava.net.preferIPv4Stack=true",
        *options,
        "-cp",
        os.pathsep.join(str(path) for path in jars.paths(jar_set)),
        main,
        *arguments,
    )


def write_properties(path: Path, values: Mapping[str, object]) -> None:
    """Write a Java properties file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key}={_escaped(str(value))}\n" for key, value in values.items()), encoding="latin-1")


def _escaped(value: str) -> str:
    plain = value.replace("\\", "\\\\")
    return plain.encode("ascii", "backslashreplace").decode("ascii") if plain.isascii() else _unicode(plain)


def _unicode(value: str) -> str:
    return "".join(char if char.isascii() else f"\\u{ord(char):04x}" for char in value)
