"""The real servers, started once for the whole session on free ports, stopped at its end."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clicktrail import jars
from clicktrail.servers import Stack, data_services
from clicktrail.settings import Settings
from tests.integration.support import apart, stack_settings


@pytest.fixture(scope="session")
def stack() -> Iterator[Settings]:
    """ZooKeeper, Kafka and Cassandra with the default topics and keyspace; gives their settings."""
    jars.install()
    home = Path(tempfile.mkdtemp(prefix="clicktrail-test-"))
    settings = stack_settings(home)
    servers = Stack(settings, data_services(settings))
    try:
        servers.up()
        yield settings
    finally:
        servers.down()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_stack(stack: Settings) -> Iterator[Settings]:
    """The same servers with Airflow beside them; its DAGs work on the default topics and keyspace."""
    os.environ["CAT_API_OFFLINE"] = "1"  # cat photos from the bundled sample: the tests need no network
    servers = Stack(stack.with_changes(airflow_schedules=0))  # DAGs run only when a test says so
    try:
        servers.up()
        yield stack
    finally:
        servers.down()


@pytest.fixture(scope="module")
def pipeline(stack: Settings, request: pytest.FixtureRequest) -> Settings:
    """Topics, keyspace, consumer group and checkpoint of the test module alone, on the shared servers."""
    suffix = re.sub(r"[^a-z0-9]+", "_", request.module.__name__.rpartition(".")[2].removeprefix("test_").lower())[:30]
    return apart(stack, suffix)
