"""The Java archives of the peers and limits: a lock of their own, in the form and the cache of ``clicktrail.jars``.

``python -m benchmarks.jars lock`` resolves them anew (PyPI's ``jgo``); ``install()`` fetches what is missing by the
lock alone. The servers' and Spark's sets stay as they are.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import tomllib
from functools import cache
from pathlib import Path

from clicktrail import jars, versions
from clicktrail.errors import ClicktrailError
from clicktrail.jars import Jar

LOCK = Path(__file__).with_name("jars.lock")
ROOTS = {
    "java": [
        "org.apache.cassandra:java-driver-core:4.19.0",
        f"org.apache.kafka:kafka-clients:{versions.KAFKA}",
        "com.fasterxml.jackson.core:jackson-core:2.18.2",
        "com.fasterxml.jackson.core:jackson-databind:2.18.2",
        "org.lz4:lz4-java:1.8.0",
        "org.slf4j:slf4j-nop:1.7.36",
    ],
    "tools": [f"org.apache.kafka:kafka-tools:{versions.KAFKA}"],
    "ecj": ["org.eclipse.jdt:ecj:3.40.0"],
    "connector": [f"com.datastax.spark:spark-cassandra-connector_{versions.SPARK_SCALA}:3.5.1"],
}
"""``tools`` runs with the servers' set ``kafka``, so that its own closure is left out; ``connector`` with PySpark."""
_ALONE = {"tools", "ecj"}
# Of the driver: tools for tests that its POM names by mistake, and an optional way to ask the operating system.
_NEEDLESS_GROUPS = {"org.mockito", "net.bytebuddy", "org.objenesis", "com.github.jnr", "org.ow2.asm"}


@cache
def locked() -> dict[str, tuple[Jar, ...]]:
    """The lock: set name to its files."""
    sets = tomllib.loads(LOCK.read_text(encoding="utf-8"))
    return {name: tuple(Jar(*item) for item in entries.items()) for name, entries in sets.items()}


def install(name: str) -> list[Path]:
    """The files of one set, fetched where they are missing.

    Raises:
        ClicktrailError: a file could not be had, or is not what the lock says.
    """
    for jar in locked()[name]:
        if not jars._is_good(jar):
            jars._fetch(jar)
    return [jar.path for jar in locked()[name]]


def lock() -> None:
    """Resolve the sets and write the lock."""
    import truststore
    from jgo.maven import MavenContext

    truststore.inject_into_ssl()
    lines = ["# Written by `python -m benchmarks.jars lock`: coordinate = SHA-256."]
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), timeout=60)
        for name, roots in ROOTS.items():
            wanted = [context.create_dependency(root) for root in roots]
            inputs, others = ([], []) if name in _ALONE else context.resolver.resolve(wanted)
            closure = [*inputs, *others]
            if name == "connector":
                shipped = jars._shipped_by_pyspark()
                closure = [each for each in closure if each.artifactId not in shipped]
            found = [each for each in closure if each.groupId not in _NEEDLESS_GROUPS] or wanted
            lines += ["", f"[{name}]"]
            for each in found:
                with each.artifact.resolve().open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                lines.append(f'"{each.groupId}:{each.artifactId}:{each.version}" = "{digest}"')
    LOCK.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["lock"]:
        raise ClicktrailError("usage: python -m benchmarks.jars lock")
    lock()
