"""Fetches photos from The Cat API (https://developers.thecatapi.com).

``GET /images/search`` gives random photos: ``id``, ``url``, ``width``, ``height`` and, for some, ``breeds``. Without a
key at most 10 a request, with one up to 100. What may pass (429, 5xx, a broken connection) is tried again after a
growing pause, or after what ``Retry-After`` asks for; what will not pass (a wrong key, a wrong address) fails at once.
"""

from __future__ import annotations

import email.utils
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, TypedDict

import requests

from clicktrail.errors import ClicktrailError

logger = logging.getLogger(__name__)

DEFAULT_URL = "https://api.thecatapi.com/v1"
SEARCH = "/images/search"
TIMEOUT_SECONDS = (5.0, 20.0)
"""To connect, and between two pieces of the answer."""
ATTEMPTS = 5
LONGEST_PAUSE_SECONDS = 60.0
MOST_WITHOUT_KEY = 10
MOST_WITH_KEY = 100


class Photo(TypedDict):
    """What the pipeline keeps of a photo."""

    id: str
    url: str
    breeds: list[str]
    """Names of the breeds, empty where the API gives none."""


@dataclass(frozen=True)
class CatApi:
    """Where the photos come from, out of ``CAT_API_URL``, ``CAT_API_KEY`` and ``CAT_API_OFFLINE``."""

    url: str = DEFAULT_URL
    key: str = field(default="", repr=False)
    offline: bool = False

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> CatApi:
        """Read the three variables from ``env`` (the process's environment by default)."""
        env = os.environ if env is None else env
        return cls(
            url=(env.get("CAT_API_URL") or DEFAULT_URL).rstrip("/").removesuffix(SEARCH),
            key=env.get("CAT_API_KEY", ""),
            offline=env.get("CAT_API_OFFLINE", "").strip().lower() in {"1", "true", "yes"},
        )


class CatApiError(ClicktrailError):
    """The API gave no photos; the sentence says why."""


class _TryAgain(Exception):
    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


def fetch_photos(api: CatApi, count: int, pause: Callable[[float], None] = time.sleep) -> list[Photo]:
    """Fetch up to ``count`` different photos.

    Args:
        api: the address and the key; where ``offline`` is set, the bundled sample is taken and no request is made.
        count: how many are wanted, from 1 to 100 (10 without a key: the API gives no more).
        pause: waits the given seconds between two attempts.

    Raises:
        CatApiError: the API could not be reached, refused, or answered with something else than photos.
    """
    if api.offline:
        logger.warning("CAT_API_OFFLINE is set: photos come from the bundled sample, not from %s", api.url)
        return _photos_of(json.loads(_sample()), "the bundled sample")[:count]
    most = MOST_WITH_KEY if api.key else MOST_WITHOUT_KEY
    if count > most:
        logger.warning(
            "%d photos are wanted, the API gives %d a request%s", count, most, "" if api.key else " without a key"
        )
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _request(api, min(count, most))
        except _TryAgain as problem:
            if attempt == ATTEMPTS:
                raise CatApiError(
                    f"The Cat API at {api.url} gave no photos in {ATTEMPTS} attempts; the last: {problem}. "
                    "Check the network and CAT_API_URL, or set CAT_API_OFFLINE=1 to use the bundled sample."
                ) from problem
            seconds = min(problem.after if problem.after is not None else 2.0 ** (attempt - 1), LONGEST_PAUSE_SECONDS)
            logger.warning("The Cat API: %s; attempt %d of %d, next in %.0f s", problem, attempt, ATTEMPTS, seconds)
            pause(seconds)
    raise AssertionError("unreachable")


def _request(api: CatApi, limit: int) -> list[Photo]:
    headers = {"Accept": "application/json", "User-Agent": "clicktrail"}
    if api.key:
        headers["x-api-key"] = api.key
    try:
        answer = requests.get(f"{api.url}{SEARCH}", params={"limit": limit}, headers=headers, timeout=TIMEOUT_SECONDS)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _TryAgain(f"no answer ({type(error).__name__}: {error})") from error
    except requests.RequestException as error:
        raise CatApiError(f"CAT_API_URL {api.url!r} cannot be asked: {error}") from error
    if answer.status_code == 429 or answer.status_code >= 500:
        raise _TryAgain(_refusal(answer), retry_after(answer.headers.get("Retry-After"), time.time()))
    if answer.status_code in {401, 403}:
        raise CatApiError(
            f"The Cat API refused the key: {_refusal(answer)}. Set CAT_API_KEY to a valid one, or unset it."
        )
    if answer.status_code != 200:
        raise CatApiError(f"The Cat API at {api.url} refused: {_refusal(answer)}. Check CAT_API_URL.")
    try:
        body = answer.json()
    except requests.JSONDecodeError as error:
        raise _TryAgain(f"the answer is no JSON: {answer.text[:80]!r}") from error
    return _photos_of(body, api.url)


def _refusal(answer: requests.Response) -> str:
    return f"HTTP {answer.status_code} {answer.reason}: {answer.text[:200].strip()!r}"


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds to wait by a ``Retry-After`` header (seconds or an HTTP date); None where there is none to read."""
    if header is None:
        return None
    text = header.strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return None


def _photos_of(body: Any, source: str) -> list[Photo]:
    if not isinstance(body, list):
        raise CatApiError(f"{source} answered with something else than a list of photos: {str(body)[:200]!r}")
    photos: dict[str, Photo] = {}
    for entry in body:
        if not isinstance(entry, dict) or not _text(entry.get("id")) or not _text(entry.get("url")):
            logger.warning("a photo without id or url was left out: %.200s", entry)
            continue
        photos[entry["id"]] = Photo(id=entry["id"], url=entry["url"], breeds=_breeds(entry.get("breeds")))
    if not photos:
        raise CatApiError(f"{source} gave no photo that has an id and a url")
    return list(photos.values())


def _breeds(given: Any) -> list[str]:
    entries = given if isinstance(given, list) else []
    return [entry["name"] for entry in entries if isinstance(entry, dict) and _text(entry.get("name"))]


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _sample() -> str:
    return resources.files("clicktrail.cats").joinpath("sample_photos.json").read_text(encoding="utf-8")
