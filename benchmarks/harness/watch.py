"""Processor time and memory of processes, read from the processes themselves, and how busy the machine was beside."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

import psutil

from clicktrail.servers import Stack

_GONE = (psutil.NoSuchProcess, psutil.AccessDenied)
_WORKING = ("user", "nice", "system", "irq", "softirq", "steal")


class Watch:
    """Processor time and memory of processes and their children, also of those that have ended."""

    def __init__(self, *pids: int) -> None:
        self._roots = [psutil.Process(pid) for pid in pids]
        self._cpu: dict[tuple[int, float], tuple[bool, float]] = {}
        self.peak = 0.0
        """Largest resident memory of all together, MiB."""

    def look(self) -> None:
        """Read all processes once."""
        memory = 0
        for process in self._family():
            try:
                times, name = process.cpu_times(), process.name()
                memory += process.memory_info().rss
                self._cpu[process.pid, process.create_time()] = (name.startswith("java"), times.user + times.system)
            except _GONE:
                continue
        self.peak = max(self.peak, memory / 2**20)

    def cpu(self, *, java: bool | None = None) -> float:
        """Processor seconds: of the JVMs, of everything else, or (None) of all."""
        return sum(seconds for is_java, seconds in self._cpu.values() if java is None or is_java == java)

    def _family(self) -> list[psutil.Process]:
        found = []
        for root in self._roots:
            try:
                found += [root, *root.children(recursive=True)]
            except _GONE:
                continue
        return found


def server_cpu(stack: Stack, name: str) -> float:
    """Processor seconds of a server so far."""
    return cpu_of(server_pids(stack)[name])


def server_pids(stack: Stack) -> dict[str, int]:
    """The servers' main processes by name."""
    return {status.name: status.pid for status in stack.status() if status.pid is not None}


def cpu_of(pid: int) -> float:
    """Processor seconds of one process so far."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


class Machine:
    """How much of the machine was at work between two moments, and for whom."""

    def __init__(self, servers: Mapping[str, int]) -> None:
        self._servers = servers
        self._began = time.perf_counter()
        self._load = os.getloadavg()[0]
        self._all = self._working()
        self._own = self._mine()
        self._before = {name: cpu_of(pid) for name, pid in servers.items()}

    def figures(self, contender_cpu: float) -> dict[str, float]:
        """What happened since: ``broker_cpu`` and ``cassandra_cpu`` in seconds, ``others`` as a share of the machine.

        Args:
            contender_cpu: processor seconds of what was measured: the rest, servers and this process aside, is noise.
        """
        servers = {name: cpu_of(pid) - self._before[name] for name, pid in self._servers.items()}
        known = sum(servers.values()) + contender_cpu + self._mine() - self._own
        return {
            "broker_cpu": servers.get("kafka", 0.0) + servers.get("zookeeper", 0.0),
            "cassandra_cpu": servers.get("cassandra", 0.0),
            "others": max(0.0, self.busy() - self._share(known)),
            "load_before": self._load,
        }

    def busy(self) -> float:
        """Share of the machine that has been at work since, for whomever."""
        return self._share(self._working() - self._all)

    def _share(self, cpu: float) -> float:
        return cpu / ((time.perf_counter() - self._began) * (os.cpu_count() or 1))

    @staticmethod
    def _working() -> float:
        times = psutil.cpu_times()
        return float(sum(getattr(times, name, 0.0) for name in _WORKING))

    @staticmethod
    def _mine() -> float:
        return float(sum(os.times()[:2]))


def children_cpu() -> float:
    """Processor seconds of this process's children that have ended so far."""
    return float(sum(os.times()[2:4]))


def settle(servers: Mapping[str, int], most: float = 0.15, patience: float = 10.0) -> float:
    """Wait until the machine is quiet, servers included, or patience is over; others' share in the last second."""
    deadline = time.monotonic() + patience
    while True:
        machine = Machine(servers)
        time.sleep(1)
        if machine.busy() <= most or time.monotonic() > deadline:
            return machine.figures(0.0)["others"]


def describe() -> dict[str, str | float | int]:
    """The machine in a few words."""
    memory = psutil.virtual_memory()
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(memory.total / 2**30, 1),
        "system": f"{os.uname().sysname} {os.uname().release}",
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            named = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        named = []
    return named[0] if named else os.uname().machine
