"""The containers of docker-compose.yaml, brought up once by the real Docker engine: `make test-compose`.

Nothing of this folder runs as part of `make test`: it needs a Docker engine, some 12 GB of memory and half an hour.
It is collected only where it is asked for by its path.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.stack import ComposeStack

HERE = Path(__file__).parent


def asked_for(config: pytest.Config) -> bool:
    """Whether the command line names this folder or something in it."""
    named = [Path(str(argument).split("::")[0]).absolute() for argument in config.invocation_params.args]
    return any(path == HERE or HERE in path.parents for path in named)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder out of a run that does not ask for it."""
    return None if asked_for(config) else True


def why_not() -> str:
    """Why the containers cannot be brought up here; empty where they can."""
    if shutil.which("docker") is None:
        return "there is no `docker` program"
    engine = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    if engine.returncode:
        return "no Docker engine answers: " + engine.stderr.strip().splitlines()[-1]
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, text=True, check=False)
    return "`docker compose` is missing" if plugin.returncode else ""


@pytest.fixture(scope="session")
def stack() -> Iterator[ComposeStack]:
    """The whole stack, up and healthy, on free ports of 127.0.0.1; it is gone afterwards with all its data."""
    if reason := why_not():
        pytest.skip(f"the containers are not tested here: {reason}")
    compose = ComposeStack()
    compose.remove()
    try:
        compose.up("--build")
        yield compose
    except BaseException:
        compose.tell_what_is_wrong()
        raise
    finally:
        compose.remove()
