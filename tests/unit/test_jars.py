"""The lock of the jars, and the install by it, from a small HTTP server."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyspark
import pytest

from benchmarks import jars as benchmarks_jars
from clicktrail import jars, versions
from clicktrail.errors import ClicktrailError
from clicktrail.jars import Jar

CONTENT = {"/org/example/one/1.0/one-1.0.jar": b"first", "/org/example/two/2.0/two-2.0-native.jar": b"second"}


class Repository(BaseHTTPRequestHandler):
    """Serves ``CONTENT``; notes what was asked for."""

    asked: list[str]
    failures: int

    def do_GET(self) -> None:
        self.asked.append(self.path)
        cls = type(self)
        if cls.failures:
            cls.failures -= 1
            self.send_error(503)
        elif self.path in CONTENT:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(CONTENT[self.path])
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Repository]]:
    handler = type("Handler", (Repository,), {"asked": [], "failures": 0})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(jars, "_repository", lambda: f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(jars, "locked", lambda: {"set": (ONE, TWO)})
    monkeypatch.setattr(jars.time, "sleep", lambda _seconds: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield handler
    server.shutdown()
    server.server_close()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


ONE = Jar("org.example:one:1.0", sha(b"first"))
TWO = Jar("org.example:two:2.0:native", sha(b"second"))


@pytest.mark.usefixtures("repository")
def test_fetches_what_is_missing_and_nothing_twice(repository: type[Repository]) -> None:
    told: list[tuple[int, int]] = []

    assert jars.install(progress=lambda done, total: told.append((done, total))) == 2
    assert [path.read_bytes() for path in jars.paths("set")] == [b"first", b"second"]
    assert told == [(1, 2), (2, 2)]
    assert jars.install() == 0
    assert sorted(repository.asked) == sorted(CONTENT)


@pytest.mark.usefixtures("repository")
def test_a_damaged_file_is_fetched_again() -> None:
    jars.install()
    ONE.path.write_bytes(b"firs")

    assert jars.damaged() == [ONE]
    assert jars.install() == 1
    assert ONE.path.read_bytes() == b"first"


def test_a_hiccup_of_the_server_is_sat_out(repository: type[Repository]) -> None:
    repository.failures = 3

    assert jars.install() == 2


@pytest.mark.usefixtures("repository")
def test_a_file_with_another_sum_is_refused_and_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = Jar(ONE.coordinate, sha(b"what it should be"))
    monkeypatch.setattr(jars, "locked", lambda: {"set": (changed,)})

    with pytest.raises(ClicktrailError, match=r"one-1\.0\.jar is not the file that jars\.lock names"):
        jars.install()

    assert not changed.path.exists()
    assert not list(changed.path.parent.glob("*")) if changed.path.parent.exists() else True


@pytest.mark.usefixtures("repository")
def test_a_download_that_fails_says_what_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "locked", lambda: {"set": (Jar("org.example:none:1.0", "0" * 64),)})
    with pytest.raises(ClicktrailError, match=r"org/example/none/1\.0/none-1\.0\.jar: the server answers 404"):
        jars.install()

    monkeypatch.setattr(jars, "_repository", lambda: "http://127.0.0.1:9")
    with pytest.raises(ClicktrailError, match=r"(?s)none-1\.0\.jar: .*refused.*HTTPS_PROXY"):
        jars.install()


@pytest.mark.usefixtures("repository")
def test_asking_for_jars_that_are_not_there_names_the_command() -> None:
    with pytest.raises(ClicktrailError, match=r"2 of 2 jars of set are missing .* python -m clicktrail\.jars install"):
        jars.paths("set")


def test_the_lock_holds_the_roots_with_sums() -> None:
    locked = jars.locked()

    assert set(locked) == set(jars.ROOTS)
    for name, roots in jars.ROOTS.items():
        assert [jar.coordinate for jar in locked[name]][: len(roots)] == roots
        assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in locked[name])
    assert jars.find("cassandra", "jamm").name.startswith("jamm-")


def test_no_jar_for_spark_is_one_that_pyspark_ships() -> None:
    shipped = {re.sub(r"-\d.*", "", path.name) for path in (Path(pyspark.__file__).parent / "jars").glob("*.jar")}

    assert shipped & {jar.name for jar in jars.locked()["spark"]} == set()
    assert "scala-library" in shipped


def test_the_connector_is_for_a_peer_of_the_benchmarks_alone() -> None:
    peer = {jar.name for jar in benchmarks_jars.locked()["connector"]}

    assert f"spark-cassandra-connector_{versions.SPARK_SCALA}" in peer
    assert peer & ({jar.name for jar in jars.locked()["spark"]} | jars._shipped_by_pyspark()) == set()
    assert not [jar.coordinate for jar in jars.locked()["spark"] if "cassandra" in jar.coordinate]
