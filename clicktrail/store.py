"""Connections to Cassandra, and its schema out of ``cassandra/schema.cql``."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from cassandra import ConsistencyLevel, DriverException, InvalidRequest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy

from clicktrail.errors import ClicktrailError
from clicktrail.settings import PROJECT, Settings

log = logging.getLogger(__name__)

SCHEMA = PROJECT / "cassandra" / "schema.cql"
KEYSPACE = "clickstream"
"""The keyspace's name in ``schema.cql``."""
_PROTOCOL = 4  # the driver frames what later ones send in segments, in plain Python: a tenth of a write
_TOKEN = re.compile(
    r"(?P<text>'(?:[^']|'')*'|\"[^\"]*\")|(?P<comment>--[^\n]*|//[^\n]*|/\*.*?\*/)|(?P<end>;)", re.DOTALL
)
_TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(?:\w+\.)?(?P<name>\w+)", re.IGNORECASE)
_REPLICATION = re.compile(r"replication\s*=\s*\{[^}]*\}", re.IGNORECASE)


@contextmanager
def connect(settings: Settings, *, keyspace: bool = True, timeout: float = 30.0) -> Iterator[Session]:
    """A session with Cassandra, closed at the end.

    Args:
        settings: hosts, port, credentials, consistency.
        keyspace: whether statements without a keyspace are for the project's.
        timeout: seconds for one request, and for the connection.

    Raises:
        ClicktrailError: no host answers, or the keyspace does not exist.
    """
    cluster = _cluster(settings, timeout)
    try:
        yield _session(cluster, settings, keyspace)
    finally:
        cluster.shutdown()


def connected(settings: Settings, timeout: float = 30.0) -> Session:
    """A session for as long as the process lives; as :func:`connect` otherwise."""
    return _session(_cluster(settings, timeout), settings, keyspace=True)


def statements(script: str) -> list[str]:
    """The statements of a CQL script, without comments, in order."""
    found, current, position = [], "", 0
    for token in _TOKEN.finditer(script):
        current += script[position : token.start()]
        position = token.end()
        if token["text"]:
            current += token["text"]
        elif token["end"]:
            found.append(current.strip())
            current = ""
    found.append((current + script[position:]).strip())
    return [statement for statement in found if statement]


def schema_statements(settings: Settings) -> list[str]:
    """The statements of ``schema.cql`` for the settings' keyspace and replication."""
    replication = (
        f"replication = {{'class': 'NetworkTopologyStrategy', 'replication_factor': {settings.cassandra_replication}}}"
    )
    name = re.compile(rf"(?<![\w'])\"?{KEYSPACE}\"?(?=\s*\.|\s+WITH\b|\s*$)", re.IGNORECASE)
    return [
        _REPLICATION.sub(lambda _: replication, name.sub(settings.cassandra_keyspace, statement))
        for statement in _schema()
    ]


def _schema() -> list[str]:
    return statements(SCHEMA.read_text(encoding="utf-8"))


def apply_schema(settings: Settings) -> None:
    """Make the keyspace and the tables that are missing; what exists is left as it is.

    Raises:
        ClicktrailError: no host answers, or Cassandra rejects a statement.
    """
    with connect(settings, keyspace=False, timeout=120.0) as session:
        for statement in schema_statements(settings):
            try:
                session.execute(statement)
            except (DriverException, InvalidRequest) as error:
                raise ClicktrailError(
                    f"Cassandra rejects {statement.splitlines()[0]!r} of {SCHEMA.name}: {error}"
                ) from error
    log.info("schema applied to keyspace %s", settings.cassandra_keyspace)


def check_tables(session: Session) -> None:
    """See to it that every table of ``schema.cql`` is there: one may be newer than the keyspace.

    Raises:
        ClicktrailError: some are not; names them and the cure.
    """
    tables = [found["name"] for found in map(_TABLE.match, _schema()) if found]
    there = session.cluster.metadata.keyspaces[session.keyspace].tables
    missing = ", ".join(name for name in tables if name not in there)
    if missing:
        raise ClicktrailError(
            f"Cassandra's keyspace {session.keyspace} has no table {missing}. Make it with: clicktrail up; or: docker "
            "compose up. What is there stays as it is"
        )


def _cluster(settings: Settings, timeout: float) -> Cluster:
    secret = (
        PlainTextAuthProvider(settings.cassandra_username, settings.cassandra_password)
        if settings.cassandra_username
        else None
    )
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(settings.cassandra_datacenter)),
        consistency_level=ConsistencyLevel.name_to_value[settings.cassandra_consistency],
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=timeout,
    )
    return Cluster(
        settings.cassandra_contact_points,
        port=settings.cassandra_port,
        auth_provider=secret,
        protocol_version=_PROTOCOL,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=timeout,
        control_connection_timeout=timeout,
    )


def _session(cluster: Cluster, settings: Settings, keyspace: bool) -> Session:
    try:
        return cluster.connect(settings.cassandra_keyspace if keyspace else None)
    except NoHostAvailable as error:
        missing = any(isinstance(reason, InvalidRequest) for reason in dict(error.errors or {}).values())
        raise (_no_keyspace(settings) if missing else _unreachable(settings, error)) from error
    except InvalidRequest as error:
        raise _no_keyspace(settings) from error


def _no_keyspace(settings: Settings) -> ClicktrailError:
    return ClicktrailError(f"Cassandra has no keyspace {settings.cassandra_keyspace}. Make it with: clicktrail up")


def _unreachable(settings: Settings, error: NoHostAvailable) -> ClicktrailError:
    reasons = "; ".join(str(reason) for reason in dict(error.errors or {}).values()) or str(error)
    return ClicktrailError(
        f"No Cassandra answers at {settings.cassandra_hosts}, port {settings.cassandra_port}: {reasons}. "
        "Start the embedded one with: clicktrail up; or set CLICKTRAIL_CASSANDRA_HOSTS and CLICKTRAIL_CASSANDRA_PORT."
    )
