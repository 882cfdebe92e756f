"""Starts, recognises and stops the process of a service: recorded before anything can interrupt, stopped by its id."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from clicktrail.servers.service import Service

log = logging.getLogger(__name__)

MARK = "_CLICKTRAIL_SERVICE"
"""Environment variable that names state folder and service in all processes of a service."""
_SAME_TIME = 5.0  # seconds: the pid file is written at once; the start time of a process is known to about a second
_LOG_LIMIT = 20_000_000  # bytes: a larger log is set aside at the next start
# The shell writes its own id and then becomes the server: there is no moment at which one runs without a record.
_LAUNCHER = 'echo "$$" > "$0.new" && mv "$0.new" "$0" && exec "$@"'


@dataclass(frozen=True)
class Files:
    """Where the state of the services lies, below one folder."""

    home: Path

    @property
    def run(self) -> Path:
        """The folder of pid files and locks."""
        return self.home / "run"

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.home / "logs"

    @property
    def data(self) -> Path:
        """The folder of what survives a stop."""
        return self.home / "data"

    def pid(self, name: str) -> Path:
        """The pid file of a service."""
        return self.run / f"{name}.pid"

    def log(self, name: str) -> Path:
        """The log of a service."""
        return self.logs / f"{name}.log"

    def mark(self, name: str) -> str:
        """The value of ``MARK`` in the processes of a service."""
        return f"{self.home.absolute()}:{name}"


def start(service: Service, files: Files) -> subprocess.Popen[bytes]:
    """Start the service's process in a session of its own; a Ctrl-C in the terminal does not reach it."""
    files.run.mkdir(parents=True, exist_ok=True)
    log_file = files.log(service.name)
    log_file.parent.mkdir(parents=True, exist_ok=True)
    if log_file.exists() and log_file.stat().st_size > _LOG_LIMIT:
        log_file.replace(log_file.with_suffix(".log.1"))
    with log_file.open("ab") as output:
        return subprocess.Popen(
            ["sh", "-c", _LAUNCHER, str(files.pid(service.name)), *service.command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **service.env, MARK: files.mark(service.name)},
            cwd=service.folder or files.home,
            start_new_session=True,
        )


def find(name: str, files: Files) -> psutil.Process | None:
    """The running process of a service by its pid file; None where there is none, or the id is now another's."""
    pid = _recorded_pid(name, files)
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        return process if is_alive(process) and _is_recorded(process, name, files) else None
    except (psutil.NoSuchProcess, FileNotFoundError):
        return None


def _recorded_pid(name: str, files: Files) -> int | None:
    try:
        return int(files.pid(name).read_text())
    except (FileNotFoundError, ValueError):
        return None


def _is_recorded(process: psutil.Process, name: str, files: Files) -> bool:
    """Whether it is the process that wrote the pid file, and not a later one with the same id.

    Either sign will do: a program that sets its title may overwrite its environment, and a clock may be set.
    """
    same_time = abs(process.create_time() - files.pid(name).stat().st_mtime) < _SAME_TIME
    return same_time or _mark(process) == files.mark(name)


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; a killed one does until its last thread is gone, and holds its ports until then."""
    try:
        ended = process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
        return bool(process.is_running() and not ended)
    except psutil.NoSuchProcess:
        return False


def members(name: str, files: Files) -> list[psutil.Process]:
    """All running processes of a service: its main one, what that started, and what an ended main one left behind."""
    mark = files.mark(name)
    main = find(name, files)
    session = _recorded_pid(name, files)
    if main is None and session is not None and psutil.pid_exists(session):
        session = None  # another process has the id by now, and may lead a session of its own
    found = set(_family(main)) if main else set()
    found |= {each for each in psutil.process_iter() if _mark(each) == mark or (session and _session(each) == session)}
    return [process for process in found if is_alive(process)]


def stop(names: Sequence[str], files: Files, grace: float) -> list[str]:
    """Stop the services' processes: the main one is asked first, then all, then they are killed.

    Args:
        names: the services; they are stopped side by side.
        files: the state folder.
        grace: seconds between asking and killing.

    Returns:
        The names of those that ran.
    """
    mains = {name: process for name in names if (process := find(name, files))}
    everyone = {name: members(name, files) for name in names}
    _send(mains.values(), signal.SIGTERM)
    alive = _wait(mains.values(), grace)
    if alive:
        log.info(
            "%s did not stop within %.0f s and is killed", sorted(name for name in mains if mains[name] in alive), grace
        )
    _send(alive, signal.SIGKILL)
    rest = [process for name in names for process in {*everyone[name], *members(name, files)} if is_alive(process)]
    _send(rest, signal.SIGTERM)
    _send(_wait(rest, 10.0), signal.SIGKILL)
    _wait([*alive, *rest], 10.0)
    for name in names:
        files.pid(name).unlink(missing_ok=True)
    return [name for name in names if everyone[name]]


def memory_mb(processes: Iterable[psutil.Process]) -> int:
    """Resident memory in MB, summed; what vanishes meanwhile counts nothing."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_info().rss
    return total // 1_000_000


def port_owner(port: int) -> str | None:
    """Who listens on a port, in words; None where nobody does, or it cannot be known."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            return _describe(connection.pid) if connection.pid else None
    return None


def _describe(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        mark = _mark(process)
        whose = f", the {mark.rpartition(':')[2]} of {mark.rpartition(':')[0]}" if mark else ""
        return f"{process.name()} (pid {pid}{whose})"
    except psutil.NoSuchProcess:
        return f"pid {pid}"


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def _send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _wait(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until they ended; those that still run."""
    deadline = time.monotonic() + seconds
    alive = [process for process in processes if is_alive(process)]
    while alive and time.monotonic() < deadline:
        _, alive = psutil.wait_procs(alive, timeout=0.2)
        alive = [process for process in alive if is_alive(process)]
    return list(alive)
