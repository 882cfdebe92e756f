"""The Cat API's client against a local server that answers as the API documents, errors included."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clicktrail.cats.photos import CatApi, CatApiError, fetch_photos, retry_after

pytestmark = pytest.mark.enable_socket

BENGAL = {
    "id": "0XYvRd7oD",
    "width": 1204,
    "height": 1445,
    "url": "https://cdn2.thecatapi.com/images/0XYvRd7oD.jpg",
    "breeds": [
        {"weight": {"imperial": "7 - 10", "metric": "3 - 5"}, "id": "beng", "name": "Bengal", "origin": "Egypt"}
    ],
}
PLAIN = {"id": "ebv", "url": "https://cdn2.thecatapi.com/images/ebv.jpg", "width": 176, "height": 540, "breeds": []}
NO_BREEDS_FIELD = {"id": "40g", "url": "https://cdn2.thecatapi.com/images/40g.jpg", "width": 640, "height": 426}


@dataclass
class Answer:
    status: int = 200
    body: Any = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


class CatServer(ThreadingHTTPServer):
    """Gives the answers in turn, the last one again and again; keeps what it was asked."""

    answers: list[Answer]
    asked: list[tuple[str, dict[str, list[str]], dict[str, str]]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: CatServer

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        self.server.asked.append(
            (address.path, parse_qs(address.query), {k.lower(): v for k, v in self.headers.items()})
        )
        answer = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        if answer.drop:
            self.connection.close()
            return
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[CatServer]:
    server = CatServer(("127.0.0.1", 0), Handler)
    server.answers, server.asked = [Answer()], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def pauses() -> list[float]:
    return []


def test_photos_have_their_breeds_where_given(server: CatServer, pauses: list[float]) -> None:
    server.answers = [Answer(body=[BENGAL, PLAIN, NO_BREEDS_FIELD, PLAIN])]
    assert fetch_photos(CatApi(server.url), 4, pauses.append) == [
        {"id": "0XYvRd7oD", "url": BENGAL["url"], "breeds": ["Bengal"]},
        {"id": "ebv", "url": PLAIN["url"], "breeds": []},
        {"id": "40g", "url": NO_BREEDS_FIELD["url"], "breeds": []},
    ]
    path, query, headers = server.asked[0]
    assert path == "/v1/images/search"
    assert query == {"limit": ["4"]}
    assert "x-api-key" not in headers
    assert pauses == []


def test_a_key_is_sent_and_lifts_the_limit(server: CatServer) -> None:
    server.answers = [Answer(body=[PLAIN])]
    fetch_photos(CatApi(server.url), 40)
    fetch_photos(CatApi(server.url, key="live_secret"), 40)
    assert [query["limit"] for _, query, _ in server.asked] == [["10"], ["40"]]
    assert server.asked[1][2]["x-api-key"] == "live_secret"


def test_too_many_requests_wait_as_asked_and_errors_back_off(server: CatServer, pauses: list[float]) -> None:
    server.answers = [
        Answer(429, {"message": "Too Many Requests"}, {"Retry-After": "7"}),
        Answer(503, b"upstream"),
        Answer(drop=True),
        Answer(429, headers={"Retry-After": "86400"}),
        Answer(body=[PLAIN]),
    ]
    assert [photo["id"] for photo in fetch_photos(CatApi(server.url), 1, pauses.append)] == ["ebv"]
    assert pauses == [7.0, 2.0, 4.0, 60.0]


def test_an_api_that_stays_broken_fails_with_its_reason(server: CatServer, pauses: list[float]) -> None:
    server.answers = [Answer(500, {"message": "database is away"})]
    with pytest.raises(CatApiError, match=r"5 attempts.*HTTP 500.*database is away.*CAT_API_OFFLINE=1"):
        fetch_photos(CatApi(server.url), 1, pauses.append)
    assert len(server.asked) == 5
    assert pauses == [1.0, 2.0, 4.0, 8.0]


def test_nobody_listening_fails_with_the_address(server: CatServer, pauses: list[float]) -> None:
    url = server.url
    server.server_close()
    with pytest.raises(CatApiError, match=rf"{url} gave no photos.*ConnectionError"):
        fetch_photos(CatApi(url), 1, pauses.append)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(401, b"AUTHENTICATION_ERROR - no API key"), r"refused the key.*AUTHENTICATION_ERROR.*CAT_API_KEY"),
        (Answer(404, b"Not Found"), r"HTTP 404.*Check CAT_API_URL"),
        (Answer(body={"message": "maintenance"}), r"something else than a list.*maintenance"),
        (Answer(body=[{"id": "x"}, {"url": "y"}, "z"]), r"no photo that has an id and a url"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(
    server: CatServer, pauses: list[float], answer: Answer, said: str
) -> None:
    server.answers = [answer]
    with pytest.raises(CatApiError, match=said):
        fetch_photos(CatApi(server.url), 1, pauses.append)
    assert len(server.asked) == 1
    assert pauses == []


def test_offline_uses_the_sample_and_says_so(server: CatServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        photos = fetch_photos(CatApi(server.url, offline=True), 5)
    assert len(photos) == 5
    assert photos[0]["breeds"] == ["Abyssinian"]
    assert "bundled sample" in caplog.text
    assert server.asked == []


def test_environment() -> None:
    api = CatApi.from_env({"CAT_API_URL": "http://cats/v1/", "CAT_API_KEY": "secret", "CAT_API_OFFLINE": "1"})
    assert (api.url, api.key, api.offline) == ("http://cats/v1", "secret", True)
    assert "secret" not in repr(api)
    assert CatApi.from_env({"CAT_API_OFFLINE": "0"}) == CatApi()
    assert CatApi.from_env({"CAT_API_URL": "http://cats/v1/images/search"}).url == "http://cats/v1"


def test_retry_after() -> None:
    assert retry_after(None, 0) is None
    assert retry_after("soon", 0) is None
    assert retry_after(" 12 ", 0) == 12
    assert retry_after(formatdate(1_000_030, usegmt=True), 1_000_000) == 30
    assert retry_after(formatdate(1_000_000, usegmt=True), 1_000_030) == 0
