"""Builds and starts the Java programs in ``java/``: the plain client, and the measurement of Cassandra's ceiling."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks import jars
from benchmarks.peers import rules
from clicktrail.errors import ClicktrailError
from clicktrail.java import find_java
from clicktrail.settings import PROJECT
from clicktrail.simulate import Order, clicks

BUILD = PROJECT / "build" / "benchmarks"
SOURCES = Path(__file__).parent / "java"
JVM = ("-Xms1g", "-Xmx1g", "-Xmn640m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""The client's heap, collector and compilers; ``PEER_JVM`` stands for others, for finding the best."""
_CLASSES = BUILD / "classes"
_JAR = BUILD / "peer.jar"
_ARCHIVE = BUILD / "classes.jsa"


def prepare() -> None:
    """Compile what has changed, and export the rules; safe where two do it at once."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "java.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rules.write(BUILD)
        sources = sorted(SOURCES.rglob("*.java"))
        stamp = _CLASSES / "stamp"
        fresh = stamp.exists() and all(source.stat().st_mtime < stamp.stat().st_mtime for source in sources)
        if fresh and stamp.read_text(encoding="utf-8") == " ".join(JVM):
            return
        _compile(sources)
        _archive()
        stamp.write_text(" ".join(JVM), encoding="utf-8")


def jvm() -> tuple[str, ...]:
    """The JVM's options for the client."""
    return (*(os.environ["PEER_JVM"].split() if "PEER_JVM" in os.environ else JVM), *archived())


def archived() -> tuple[str, ...]:
    """The JVM's options for the archive of classes that :func:`prepare` makes; nothing where it could not."""
    return (f"-XX:SharedArchiveFile={_ARCHIVE}",) if _ARCHIVE.exists() else ()


def command(main: str, *args: str, options: tuple[str, ...], tuning: Mapping[str, object] | None = None) -> list[str]:
    """The call of a class of ``java/``.

    Args:
        main: the class's name.
        args: its arguments.
        options: of the JVM.
        tuning: settings of ``Tuning.java`` in place of its defaults.
    """
    classpath = os.pathsep.join(map(str, [_JAR, *jars.install("java")]))
    tuned = [f"-Dpeer.{name}={value}" for name, value in (tuning or {}).items()]
    return [
        str(find_java()),
        *options,
        *tuned,
        f"-Dpeer.rules={BUILD / 'rules.json'}",
        *("-cp", classpath, main, *args),
    ]


def _archive() -> None:
    """Class data sharing: about half of the start-up is the loading of classes."""
    messages = [value.decode() for _, value in clicks(Order(1, "training", 500)) if value]
    options = (f"-XX:ArchiveClassesAtExit={_ARCHIVE}", *JVM)
    _ARCHIVE.unlink(missing_ok=True)
    subprocess.run(command("peer.Train", *messages[:100], options=options), capture_output=True, check=True)


def _compile(sources: list[Path]) -> None:
    classpath = os.pathsep.join(map(str, jars.install("java")))
    arguments = ["-cp", classpath, "-d", str(_CLASSES), *map(str, sources)]
    shutil.rmtree(_CLASSES, ignore_errors=True)
    javac = find_java().resolve().with_name("javac")
    if javac.exists():
        call = [str(javac), "--release", "17", *arguments]
    else:  # a runtime has no compiler
        call = [str(find_java()), "-jar", str(jars.install("ecj")[0]), "-17", "-nowarn", *arguments]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClicktrailError(f"the Java programs of the benchmarks do not compile:\n{done.stdout}{done.stderr}")
    with zipfile.ZipFile(_JAR, "w") as jar:  # an archive of classes takes them from jars alone
        for each in sorted(_CLASSES.rglob("*.class")):
            jar.write(each, each.relative_to(_CLASSES))
