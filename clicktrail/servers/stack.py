"""The embedded stack as a whole: up, down, status."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import math
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum
from types import FrameType

import psutil

from clicktrail.errors import ClicktrailError
from clicktrail.servers import process
from clicktrail.servers.process import Files
from clicktrail.servers.service import Service, port_open
from clicktrail.settings import PREFIX, Settings

log = logging.getLogger(__name__)

_POLL = 0.25  # seconds between two looks at a service that is starting
_RESTART_PAUSE = 3.0  # seconds
_ENDING = 10.0  # seconds


class State(StrEnum):
    """What a service is doing."""

    STOPPED = "stopped"
    WAITING = "waiting"
    STARTING = "starting"
    SERVING = "serving"
    UNHEALTHY = "unhealthy"


Progress = Callable[[str, State], object]
"""Called with (service name, what it is doing now), from several threads."""


@dataclass(frozen=True)
class Status:
    """One line of ``clicktrail status``.

    Attributes:
        name: the service.
        state: what it does.
        detail: why it does not serve, or empty.
        pid: its main process, where it runs.
        ports: its ports.
        memory_mb: resident memory of all its processes.
        seconds: since its start; 0 where it does not run.
    """

    name: str
    state: State
    detail: str
    pid: int | None
    ports: tuple[int, ...]
    memory_mb: int
    seconds: float


class Cancelled(Exception):
    """A start was given up because another one failed or the user interrupted it."""


class Stack:
    """The servers of one state folder.

    Args:
        settings: ports and state folder.
        services: what it consists of; by default all that :func:`default_services` gives.
    """

    def __init__(self, settings: Settings, services: Sequence[Service] | None = None) -> None:
        self.settings = settings
        self.files = Files(settings.home)
        self._services = services

    @property
    def services(self) -> list[Service]:
        """The services in the order of their start."""
        if self._services is None:
            self._services = default_services(self.settings)
        return list(self._services)

    def up(self, names: Iterable[str] | None = None, progress: Progress | None = None) -> list[str]:
        """Start what does not run yet, and wait until everything serves.

        What this call started is stopped again where it fails or is interrupted: it leaves all or nothing.

        Args:
            names: the services, with what they need; all by default.
            progress: is told what each is doing.

        Returns:
            The names of the services that were started; empty where all ran already.

        Raises:
            ClicktrailError: a port is taken, memory is short, or a service does not come up.
        """
        wanted = self._select(names)
        self.files.run.mkdir(parents=True, exist_ok=True)
        with self._alone(), _interruptible():
            missing = [service for service in wanted if process.find(service.name, self.files) is None]
            self._clear_leftovers(missing)
            self._require_ports(missing)
            self._require_memory(missing)
            _Start(wanted, self.files, progress or _silent).run()
            return [service.name for service in missing]

    def down(self, names: Iterable[str] | None = None) -> list[str]:
        """Stop the services, those first that need others.

        Returns:
            The names of those that ran; empty where nothing did.
        """
        if not self.files.run.exists():
            return []
        chosen = self.services if names is None else [self._named(name) for name in names]
        with self._alone():
            return _stop(chosen, self.files)

    def status(self) -> list[Status]:
        """What each service is doing; their health checks run side by side."""
        with ThreadPoolExecutor(max(1, len(self.services))) as pool:
            return list(pool.map(self._status, self.services))

    def _status(self, service: Service) -> Status:
        ports = tuple(service.ports.values())
        main = process.find(service.name, self.files)
        if main is None:
            return Status(service.name, State.STOPPED, "", None, ports, 0, 0.0)
        reason = service.check()
        return Status(
            service.name,
            State.UNHEALTHY if reason else State.SERVING,
            reason or "",
            main.pid,
            ports,
            process.memory_mb(process.members(service.name, self.files)),
            time.time() - main.create_time(),
        )

    def _named(self, name: str) -> Service:
        for service in self.services:
            if service.name == name:
                return service
        raise ClicktrailError(f"There is no service {name!r}; there are: {', '.join(s.name for s in self.services)}")

    def _select(self, names: Iterable[str] | None) -> list[Service]:
        """The named services and what they need, in the order of their start."""
        if names is None:
            return self.services
        chosen: set[str] = set()
        waiting = list(names)
        while waiting:
            service = self._named(waiting.pop())
            if service.name not in chosen:
                chosen.add(service.name)
                waiting += service.after
        return [service for service in self.services if service.name in chosen]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of the state folder: two calls of ``up`` or ``down`` at once would work against each other."""
        with (self.files.run / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ClicktrailError(
                    f"Another clicktrail up or down is at work on {self.files.home}. Wait until it is done."
                ) from None
            yield

    def _clear_leftovers(self, missing: Sequence[Service]) -> None:
        """End what is left of services whose main process is gone, and forget stale pid files."""
        names = [service.name for service in missing if self.files.pid(service.name).exists()]
        if names:
            log.info("clearing what a crash left of %s", ", ".join(names))
            process.stop(names, self.files, grace=10.0)

    def _require_ports(self, missing: Sequence[Service]) -> None:
        taken = [
            f"Port {port} for {service.name} is taken by {owner}. "
            f"Stop that, or set {PREFIX}{setting.upper()} to a free port."
            for service in missing
            for setting, port in service.ports.items()
            if (owner := self._port_owner(port))
        ]
        if taken:
            raise ClicktrailError("\n".join(taken))

    def _port_owner(self, port: int) -> str | None:
        """Who has a port; one that nobody seems to have may be that of a process which is just ending."""
        deadline = time.monotonic() + _ENDING
        while port_open(self.settings.host, port):
            if (owner := process.port_owner(port)) or time.monotonic() > deadline:
                return owner or "a process of another user"
            time.sleep(_POLL)
        return None

    def _require_memory(self, missing: Sequence[Service]) -> None:
        needed = sum(service.memory_mb for service in missing)
        available = psutil.virtual_memory().available // 1_000_000
        if needed > available:
            names = ", ".join(service.name for service in missing)
            raise ClicktrailError(
                f"Not enough memory: {names} need about {needed:,} MB, {available:,} MB are free. Close other programs."
            )


class _Start:
    """One call of ``up``: every service in a thread of its own that waits for those it needs."""

    def __init__(self, services: Sequence[Service], files: Files, progress: Progress) -> None:
        self.services = services
        self.files = files
        self.progress = progress
        self.cancelled = threading.Event()
        self.serving = {service.name: threading.Event() for service in services}
        self.started: list[Service] = []

    def run(self) -> None:
        pool = ThreadPoolExecutor(max(1, len(self.services)))
        futures: list[Future[None]] = []
        try:
            futures = [pool.submit(self._bring_up, service) for service in self.services]
            wait(futures, return_when=FIRST_EXCEPTION)
            failures = [error for future in futures if future.done() and (error := future.exception())]
            if failures:
                raise next((error for error in failures if not isinstance(error, Cancelled)), failures[0])
        except BaseException:
            self._undo(pool)
            raise
        pool.shutdown()

    def _undo(self, pool: ThreadPoolExecutor) -> None:
        """Stop what was started here; a second Ctrl-C does not cut this short."""
        with _uninterruptible():
            self.cancelled.set()
            pool.shutdown(wait=True, cancel_futures=True)
            _stop(self.started, self.files, at_most=10.0)

    def _bring_up(self, service: Service) -> None:
        if process.find(service.name, self.files) is None:
            self.progress(service.name, State.WAITING)
            self._await_needed(service)
            self._start(service)
        else:
            self._await_serving(service, None, time.monotonic() + service.patience)
        service.ready()
        self.serving[service.name].set()
        self.progress(service.name, State.SERVING)

    def _await_needed(self, service: Service) -> None:
        for name in service.after:
            while not self.serving[name].wait(_POLL):
                self._stop_if_cancelled()

    def _start(self, service: Service) -> None:
        service.prepare()
        deadline = time.monotonic() + service.patience
        for left in range(service.restarts, -1, -1):
            self._stop_if_cancelled()
            self.progress(service.name, State.STARTING)
            self.started.append(service)
            running = process.start(service, self.files)
            if self._await_serving(service, running, deadline):
                return
            if left:
                log.info("%s ended by itself (exit code %s); it is started again", service.name, running.returncode)
                time.sleep(_RESTART_PAUSE)
        raise ClicktrailError(
            f"{service.name} ended by itself while starting. Its log, {self.files.log(service.name)}, ends with:\n"
            f"{tail(self.files, service.name)}"
        )

    def _await_serving(self, service: Service, running: subprocess.Popen[bytes] | None, deadline: float) -> bool:
        """Wait until it serves; False where its process ended."""
        while True:
            self._stop_if_cancelled()
            ended = running.poll() is not None if running else process.find(service.name, self.files) is None
            reason = None if ended else service.check()
            if ended:
                return False
            if reason is None:
                return True
            if time.monotonic() > deadline:
                raise ClicktrailError(
                    f"{service.name} does not serve after {service.patience:.0f} s: {reason}. "
                    f"Its log, {self.files.log(service.name)}, ends with:\n{tail(self.files, service.name)}"
                )
            self.cancelled.wait(_POLL)

    def _stop_if_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise Cancelled


def default_services(settings: Settings) -> list[Service]:
    """The services of the embedded stack."""
    from clicktrail.servers.airflow import airflow_services
    from clicktrail.servers.mail import mail_service
    from clicktrail.servers.sales_shop import sales_shop_service

    return [
        *data_services(settings),
        mail_service(settings),
        sales_shop_service(settings),
        *airflow_services(settings),
    ]


def data_services(settings: Settings) -> list[Service]:
    """ZooKeeper, Kafka and Cassandra: what the job needs, without Airflow."""
    from clicktrail.servers.cassandra import cassandra_service
    from clicktrail.servers.kafka import kafka_service, zookeeper_service

    return [zookeeper_service(settings), kafka_service(settings), cassandra_service(settings)]


def tail(files: Files, name: str, lines: int = 15) -> str:
    """The last lines of a service's log."""
    try:
        with files.log(name).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 20_000))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(there is no log)"


def _stop(services: Sequence[Service], files: Files, at_most: float = math.inf) -> list[str]:
    """Stop services, those first that need others; those that do not need each other side by side.

    Returns:
        The names of those that ran.
    """
    left = {service.name: service for service in services}
    stopped: list[str] = []
    while left:
        needed = {name for service in left.values() for name in service.after}
        group = [service for service in left.values() if service.name not in needed]
        if not group:
            raise ValueError(f"services need each other: {sorted(left)}")
        with ThreadPoolExecutor(len(group)) as pool:
            for ran in pool.map(lambda each: process.stop([each.name], files, min(each.grace, at_most)), group):
                stopped += ran
        for service in group:
            del left[service.name]
    return stopped


def _silent(_name: str, _state: State) -> None:
    """The progress of a caller who wants none."""


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP end a start in the same orderly way as Ctrl-C."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handlers(interrupt, signal.SIGTERM, signal.SIGHUP):
        yield


@contextlib.contextmanager
def _uninterruptible() -> Iterator[None]:
    with _handlers(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield


@contextlib.contextmanager
def _handlers(
    handler: Callable[[int, FrameType | None], None] | signal.Handlers, *numbers: signal.Signals
) -> Iterator[None]:
    """Set signal handlers for a while; only the main thread can, elsewhere nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
