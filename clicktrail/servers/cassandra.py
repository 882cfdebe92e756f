"""Cassandra of the embedded stack: one node with one token, tuned to start fast."""

from __future__ import annotations

import json
import logging
import socket
from pathlib import Path

from clicktrail import jars
from clicktrail.errors import ClicktrailError
from clicktrail.java import HOT_CODE_ONLY
from clicktrail.servers.jvm import java_command
from clicktrail.servers.process import Files
from clicktrail.servers.service import Service, port_open
from clicktrail.settings import Settings
from clicktrail.store import apply_schema, connect

_EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.base/java.lang.ref",
    "java.base/java.lang.reflect",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
)
_OPENS = (
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "jdk.compiler/com.sun.tools.javac.file",
    "jdk.management/com.sun.management.internal",
)
"""What Cassandra's own ``jvm17-server.options`` opens."""
_SMALL_METHODS = (
    "-XX:MaxInlineLevel=6",
    "-XX:InlineSmallCode=1200",
    "-XX:FreqInlineSize=150",
    "-XX:MaxNodeLimit=40000",
    "-XX:NodeLimitFudgeFactor=1000",
)
"""Less inlining: a third of the second compiler's time, for the same time in the code (docs/decisions/008)."""


def cassandra_service(settings: Settings) -> Service:
    """One Cassandra node."""
    files = Files(settings.home)
    config = files.run / "cassandra.yaml"
    here = settings.with_changes(
        cassandra_hosts=settings.host, cassandra_username="", cassandra_datacenter="", cassandra_replication=1
    )

    def prepare() -> None:
        (settings.home / "tmp").mkdir(exist_ok=True)
        _write_config(config, settings, files.data / "cassandra")

    return Service(
        name="cassandra",
        command=java_command(
            settings, "cassandra", "org.apache.cassandra.service.CassandraDaemon", options=_options(config)
        ),
        check=lambda: _reason(here),
        ports={"cassandra_port": settings.cassandra_port},
        prepare=prepare,
        ready=lambda: apply_schema(here),
        memory_mb=1800,
        grace=60.0,
    )


def _options(config: Path) -> tuple[str, ...]:
    return (
        "-Xms1g",
        "-Xmx1g",
        "-XX:+UseG1GC",
        "-XX:MaxGCPauseMillis=300",
        "-XX:+PerfDisableSharedMem",
        "-Xss256k",
        *HOT_CODE_ONLY,
        *_SMALL_METHODS,
        f"-javaagent:{jars.find('cassandra', 'jamm')}",
        "-Djdk.attach.allowAttachSelf=true",
        *(f"--add-exports={name}=ALL-UNNAMED" for name in _EXPORTS),
        *(f"--add-opens={name}=ALL-UNNAMED" for name in _OPENS),
        f"-Dcassandra.config={config.as_uri()}",
        "-Dcassandra-foreground=yes",
        "-Dcassandra.skip_wait_for_gossip_to_settle=0",
        "-Dcassandra.ring_delay_ms=100",
        "-Dcassandra.superuser_setup_delay_ms=0",
        "-Dio.netty.tryReflectionSetAccessible=true",
    )


def _write_config(path: Path, settings: Settings, data: Path) -> None:
    """Write ``cassandra.yaml``; JSON is YAML, and escapes whatever a path may hold."""
    data.mkdir(parents=True, exist_ok=True)
    storage_port = _storage_port(settings.host, data / "storage_port")
    seeds = {"seeds": f"{settings.host}:{storage_port}"}
    config = {
        "cluster_name": "clicktrail",
        "num_tokens": 1,
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "endpoint_snitch": "SimpleSnitch",
        "seed_provider": [{"class_name": "org.apache.cassandra.locator.SimpleSeedProvider", "parameters": [seeds]}],
        "listen_address": settings.host,
        "storage_port": storage_port,
        "rpc_address": settings.host,
        "start_native_transport": True,
        "native_transport_port": settings.cassandra_port,
        "data_file_directories": [str(data / "data")],
        "commitlog_directory": str(data / "commitlog"),
        "hints_directory": str(data / "hints"),
        "saved_caches_directory": str(data / "saved_caches"),
        "cdc_raw_directory": str(data / "cdc_raw"),
        "commitlog_sync": "periodic",
        "commitlog_sync_period": "10s",
        "commitlog_segment_size": "32MiB",
        "disk_failure_policy": "stop",
        "auto_snapshot": False,
        "storage_compatibility_mode": "NONE",
        "paxos_variant": "v2",
        "read_request_timeout": "30s",
        "range_request_timeout": "60s",
        "write_request_timeout": "30s",
        "cas_contention_timeout": "10s",
        "request_timeout": "60s",
        "internode_compression": "none",
        "memtable": {"configurations": {"default": {"class_name": "TrieMemtable"}}},
        "memtable_allocation_type": "offheap_objects",
        "batch_size_warn_threshold": "64KiB",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _storage_port(host: str, record: Path) -> int:
    """The port that Cassandra keeps for its peers, of which there are none: any free one, the same on each start."""
    try:
        port = int(record.read_text())
    except (FileNotFoundError, ValueError):
        port = 0
    if port and not port_open(host, port):
        return port
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = int(probe.getsockname()[1])
    record.write_text(f"{port}\n")
    return port


def _reason(settings: Settings) -> str | None:
    if not port_open(settings.host, settings.cassandra_port):
        return f"no answer on port {settings.cassandra_port}"
    driver = logging.getLogger("cassandra")
    level = driver.level
    driver.setLevel(logging.CRITICAL)
    try:
        with connect(settings, keyspace=False, timeout=10.0) as session:
            session.execute("SELECT release_version FROM system.local")
    except (ClicktrailError, OSError) as error:
        return str(error)
    finally:
        driver.setLevel(level)
    return None
