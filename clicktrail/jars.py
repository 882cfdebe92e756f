"""The Java archives of the servers and of Spark's Kafka source: locked with sums, fetched once for all stacks.

``python -m clicktrail.jars lock`` resolves the sets anew (PyPI's ``jgo``) and writes ``jars.lock``;
``python -m clicktrail.jars install`` fetches what is missing by the lock alone.
"""

from __future__ import annotations

import hashlib
import logging
import os
import ssl
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from clicktrail import versions
from clicktrail.errors import ClicktrailError

log = logging.getLogger(__name__)

LOCK = Path(__file__).with_name("jars.lock")
ROOTS = {
    "kafka": [
        f"org.apache.kafka:kafka_{versions.KAFKA_SCALA}:{versions.KAFKA}",
        f"org.apache.zookeeper:zookeeper:{versions.ZOOKEEPER}",
    ],
    "cassandra": [f"org.apache.cassandra:cassandra-all:{versions.CASSANDRA}"],
    "spark": [
        f"org.apache.spark:spark-sql-kafka-0-10_{versions.SPARK_SCALA}:{versions.SPARK}",
        f"com.globalmentor:hadoop-bare-naked-local-fs:{versions.BARE_LOCAL_FS}",
    ],
}
# Tools for tests that a POM names by mistake as needed at run time.
_NEEDLESS = {"mockito-core", "byte-buddy", "byte-buddy-agent", "objenesis"}
_PARALLEL = 8
_TRIES = 4
_TIMEOUT = 60  # seconds without a byte

Progress = Callable[[int, int], None]
"""Called with (files done, files in all)."""


@dataclass(frozen=True, order=True)
class Jar:
    """One locked file.

    Attributes:
        coordinate: ``group:artifact:version``, with ``:classifier`` where there is one.
        sha256: its sum, in hexadecimal.
    """

    coordinate: str
    sha256: str

    @property
    def name(self) -> str:
        """The artifact's name, such as ``kafka-clients``."""
        return self.coordinate.split(":")[1]

    @property
    def address(self) -> str:
        """Its path below a Maven repository."""
        group, artifact, version, *classifier = self.coordinate.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{'-'.join([artifact, version, *classifier])}.jar"

    @property
    def path(self) -> Path:
        """Where it lies on this machine, once installed."""
        return cache_dir() / self.address


def cache_dir() -> Path:
    """The folder of the fetched files: it survives ``clicktrail reset``, and all stacks share it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "clicktrail" / "jars"


@cache
def locked() -> dict[str, tuple[Jar, ...]]:
    """The lock: set name to its files, the roots first."""
    try:
        text = LOCK.read_text()
    except FileNotFoundError:
        raise ClicktrailError(f"{LOCK} is missing. Make it with: python -m clicktrail.jars lock") from None
    return {name: tuple(Jar(*item) for item in entries.items()) for name, entries in tomllib.loads(text).items()}


def paths(name: str) -> list[Path]:
    """The files of one set (``kafka``, ``cassandra`` or ``spark``).

    Raises:
        ClicktrailError: one of them is not installed.
    """
    files = [jar.path for jar in locked()[name]]
    if missing := [file.name for file in files if not file.exists()]:
        raise ClicktrailError(
            f"{len(missing)} of {len(files)} jars of {name} are missing ({missing[0]} …). "
            "Fetch them with: python -m clicktrail.jars install"
        )
    return files


def find(name: str, artifact: str) -> Path:
    """The file of one artifact of a set, such as the agent ``jamm`` of ``cassandra``."""
    return next(jar.path for jar in locked()[name] if jar.name == artifact)


def damaged(names: Iterable[str] | None = None) -> list[Jar]:
    """The locked files that are missing or whose sum is not the lock's."""
    wanted = _wanted(names)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        return [jar for jar, good in zip(wanted, pool.map(_is_good, wanted), strict=True) if not good]


def install(names: Iterable[str] | None = None, progress: Progress | None = None) -> int:
    """Fetch what is missing or damaged, several files at a time.

    Args:
        names: the sets; all of them by default.
        progress: is told how far it is.

    Returns:
        How many files were fetched.

    Raises:
        ClicktrailError: a file could not be had, or is not what the lock says.
    """
    missing = damaged(names)
    if not missing:
        return 0
    pool = ThreadPoolExecutor(_PARALLEL)
    try:
        running = [pool.submit(_fetch, jar) for jar in missing]
        for done, future in enumerate(as_completed(running), start=1):
            future.result()
            if progress:
                progress(done, len(missing))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return len(missing)


def _wanted(names: Iterable[str] | None) -> list[Jar]:
    sets = locked()
    return sorted({jar for name in (sets if names is None else names) for jar in sets[name]})


def _is_good(jar: Jar) -> bool:
    try:
        with jar.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def _repository() -> str:
    from jgo.constants import MAVEN_CENTRAL_URL

    return str(MAVEN_CENTRAL_URL)


def _fetch(jar: Jar) -> None:
    url = f"{_repository()}/{jar.address}"
    content = _download(url)
    found = hashlib.sha256(content).hexdigest()
    if found != jar.sha256:
        raise ClicktrailError(
            f"{url} is not the file that jars.lock names: SHA-256 {found} instead of {jar.sha256}. "
            "Something on the way changed it (a proxy?); nothing was installed from it."
        )
    try:
        _write(jar.path, content)
    except OSError as error:
        raise ClicktrailError(
            f"Cannot write {jar.path}: {error}. Set XDG_CACHE_HOME to a folder you may write to."
        ) from error
    log.debug("fetched %s", jar.coordinate)


def _write(path: Path, content: bytes) -> None:
    """Write as a whole or not at all, so that an interrupted call or a second one beside it harms nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as file:
        try:
            file.write(content)
            file.close()
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _download(url: str) -> bytes:
    for attempt in range(1, _TRIES + 1):
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT, context=_trust()) as response:
                content: bytes = response.read()
                return content
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise ClicktrailError(
                    f"Cannot download {url}: the server answers {error.code} {error.reason}."
                ) from error
            reason: Exception = error
        except (OSError, TimeoutError, ConnectionError) as error:
            reason = error
        if attempt < _TRIES:
            log.debug("attempt %d of %s failed: %s", attempt, url, reason)
            time.sleep(2.0**attempt)
    raise ClicktrailError(
        f"Cannot download {url}: {reason}. Check the network (behind a proxy set HTTPS_PROXY), then run it again: "
        "what was fetched so far is kept."
    ) from reason


@cache
def _trust() -> ssl.SSLContext:
    """Trust what the operating system trusts, so that it works behind a proxy with a certificate of its own."""
    import truststore

    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return context


def lock() -> None:
    """Resolve the sets and write ``jars.lock``: for developers, after a change of ``versions.py``."""
    import truststore
    from jgo.maven import MavenContext

    truststore.inject_into_ssl()
    shipped = _shipped_by_pyspark()
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), timeout=_TIMEOUT)
        lines = ["# Written by `python -m clicktrail.jars lock`: coordinate = SHA-256."]
        for name, roots in ROOTS.items():
            inputs, others = context.resolver.resolve([context.create_dependency(root) for root in roots])
            lines += ["", f"[{name}]"]
            for dependency in [*inputs, *others]:
                artifact = dependency.artifactId
                if artifact in _NEEDLESS or (name == "spark" and artifact in shipped):
                    continue
                parts = [dependency.groupId, artifact, dependency.version, dependency.classifier]
                with dependency.artifact.resolve().open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                lines.append(f'"{":".join(part for part in parts if part)}" = "{digest}"')
    LOCK.write_text("\n".join(lines) + "\n")


def _shipped_by_pyspark() -> set[str]:
    """Artifacts that PySpark brings: a second version of one on the class path breaks it."""
    import pyspark

    folder = Path(pyspark.__file__).parent / "jars"
    return {file.name.rsplit("-", 1)[0] for file in folder.glob("*.jar")}


def main() -> int:
    """``python -m clicktrail.jars lock|install``."""
    from rich.console import Console

    console = Console(stderr=True)
    action = sys.argv[1] if len(sys.argv) == 2 else ""
    try:
        if action == "lock":
            lock()
        elif action == "install":
            fetched = install(progress=lambda done, total: _say(console, done, total))
            console.print(f"jars: {fetched} fetched, {len(_wanted(None))} in {cache_dir()}", highlight=False)
        else:
            console.print("usage: python -m clicktrail.jars lock|install")
            return 2
    except ClicktrailError as error:
        console.print(str(error), style="red", highlight=False)
        return 1
    return 0


def _say(console: object, done: int, total: int) -> None:
    from rich.console import Console

    if isinstance(console, Console) and (done == total or done % 20 == 0):
        console.print(f"jars: {done} of {total}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
