"""The life of services, with small real processes in place of the servers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from clicktrail.errors import ClicktrailError
from clicktrail.servers import Service, Stack, State, process
from clicktrail.servers.process import Files
from clicktrail.settings import PROJECT, Settings

SERVE = """
import pathlib, signal, sys, time
name, *wanted = sys.argv[1:]
{first}
if all(pathlib.Path(each).exists() for each in wanted):
    pathlib.Path(name).write_text("serves")
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path(name).unlink(missing_ok=True), sys.exit(0)))
time.sleep(600)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture(autouse=True)
def _nothing_left(settings: Settings) -> Iterator[None]:
    """Whatever a test does, it ends without a process."""
    yield
    names = [file.stem for file in Files(settings.home).run.glob("*.pid")]
    process.stop(names, Files(settings.home), grace=5)


def service(settings: Settings, name: str, *needs: str, first: str = "", **more: object) -> Service:
    """A process that serves (a file is there) once those that it needs serve."""
    sign = settings.home / f"{name}.serves"
    wanted = [str(settings.home / f"{need}.serves") for need in needs]
    given = Service(
        name=name,
        command=(sys.executable, "-c", SERVE.format(first=first), str(sign), *wanted),
        check=lambda: None if sign.exists() else "no sign yet",
        after=needs,
        memory_mb=1,
        patience=60,
        grace=20,
    )
    return replace(given, **more)  # type: ignore[arg-type]


def test_starts_in_order_finds_what_runs_and_stops(settings: Settings) -> None:
    called: list[str] = []
    stack = Stack(
        settings,
        [
            service(settings, "first", ready=lambda: called.append("first")),
            service(settings, "second", "first", ready=lambda: called.append("second")),
        ],
    )
    seen: list[tuple[str, State]] = []

    assert stack.up(progress=lambda name, state: seen.append((name, state))) == ["first", "second"]
    assert seen.index(("first", State.SERVING)) < seen.index(("second", State.STARTING))
    assert called == ["first", "second"]
    assert [line.state for line in stack.status()] == [State.SERVING, State.SERVING]
    pids = [line.pid for line in stack.status()]

    assert Stack(settings, stack.services).up() == []
    assert [line.pid for line in stack.status()] == pids

    assert sorted(stack.down()) == ["first", "second"]
    assert not any(psutil.pid_exists(pid) and is_running(pid) for pid in pids if pid)
    assert [line.state for line in stack.status()] == [State.STOPPED, State.STOPPED]
    assert stack.down() == []


def test_only_the_named_one_and_what_it_needs_is_started(settings: Settings) -> None:
    stack = Stack(settings, [service(settings, "a"), service(settings, "b", "a"), service(settings, "c")])

    assert stack.up(["b"]) == ["a", "b"]

    with pytest.raises(ClicktrailError, match="no service 'd'; there are: a, b, c"):
        stack.up(["d"])


def test_one_that_ends_by_itself_is_told_with_the_end_of_its_log_and_nothing_stays(settings: Settings) -> None:
    stack = Stack(
        settings, [service(settings, "good"), service(settings, "bad", "good", first="sys.exit('the disk is on fire')")]
    )

    with pytest.raises(ClicktrailError, match=r"(?s)bad ended by itself.*bad\.log.*the disk is on fire"):
        stack.up()

    assert [line.state for line in stack.status()] == [State.STOPPED, State.STOPPED]
    assert not list(Files(settings.home).run.glob("*.pid"))


def test_one_that_ran_before_a_failed_start_keeps_running(settings: Settings) -> None:
    good = service(settings, "good")
    Stack(settings, [good]).up()
    both = Stack(settings, [good, service(settings, "bad", first="sys.exit(3)")])

    with pytest.raises(ClicktrailError, match="bad ended by itself"):
        both.up()

    assert [line.state for line in both.status()] == [State.SERVING, State.STOPPED]


def test_one_that_never_serves_is_given_up(settings: Settings) -> None:
    stuck = service(settings, "stuck", first="time.sleep(600)", patience=0.5)

    with pytest.raises(ClicktrailError, match="stuck does not serve after 0 s: no sign yet"):
        Stack(settings, [stuck]).up()

    assert process.members("stuck", Files(settings.home)) == []


def test_one_that_may_be_restarted_is(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clicktrail.servers.stack._RESTART_PAUSE", 0.01)
    once = tmp_path / "once"
    first = f"once = pathlib.Path({str(once)!r})\nif not once.exists(): once.touch(); sys.exit(1)"
    stack = Stack(settings, [service(settings, "moody", first=first, restarts=1)])

    assert stack.up() == ["moody"]
    assert stack.status()[0].state is State.SERVING


def test_a_taken_port_is_told_with_its_owner_and_the_setting(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        stack = Stack(settings, [service(settings, "late", ports={"kafka_port": port})])
        with pytest.raises(
            ClicktrailError, match=rf"Port {port} for late is taken by .*pid {os.getpid()}.*CLICKTRAIL_KAFKA_PORT"
        ):
            stack.up()
    assert not Files(settings.home).log("late").exists()


def test_too_little_memory_is_told_before_anything_starts(settings: Settings) -> None:
    stack = Stack(settings, [service(settings, "huge", memory_mb=10**9)])

    with pytest.raises(ClicktrailError, match="Not enough memory: huge need about 1,000,000,000 MB"):
        stack.up()


def test_a_stale_pid_file_is_no_service_and_its_number_is_not_killed(settings: Settings) -> None:
    stack = Stack(settings, [service(settings, "crashed")])
    files = Files(settings.home)
    files.run.mkdir(parents=True)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as other:
        try:
            files.pid("crashed").write_text(f"{other.pid}\n")
            os.utime(files.pid("crashed"), (1e9, 1e9))  # written long before that process began

            assert stack.status()[0].state is State.STOPPED
            assert stack.down() == []
            assert other.poll() is None

            files.pid("crashed").write_text(f"{other.pid}\n")
            os.utime(files.pid("crashed"), (1e9, 1e9))
            assert stack.up() == ["crashed"]
            assert stack.status()[0].pid != other.pid
            assert other.poll() is None
        finally:
            other.kill()


def test_a_killed_one_is_started_again_and_what_it_left_is_ended(settings: Settings) -> None:
    first = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"
    stack = Stack(settings, [service(settings, "parent", first=first)])
    stack.up()
    left = int(Files(settings.home).log("parent").read_text())
    pid = stack.status()[0].pid
    assert pid is not None
    assert is_running(left)
    os.kill(pid, signal.SIGKILL)
    gone(pid)

    assert stack.up() == ["parent"]

    assert not is_running(left)
    assert stack.status()[0].pid != pid


def test_down_ends_children_in_sessions_of_their_own_and_who_does_not_listen(settings: Settings) -> None:
    first = (
        "import subprocess; child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "print(child.pid, flush=True)"
    )
    deaf = "signal.signal = lambda *_: None; __import__('signal').pthread_sigmask(0, {15})"
    stack = Stack(
        settings, [service(settings, "parent", first=first, grace=2), service(settings, "deaf", first=deaf, grace=2)]
    )
    stack.up()
    child = int(Files(settings.home).log("parent").read_text())

    assert sorted(stack.down()) == ["deaf", "parent"]

    gone(child)


def test_a_second_call_at_the_same_time_is_turned_away(settings: Settings) -> None:
    stack = Stack(settings, [service(settings, "one")])
    stack.files.run.mkdir(parents=True)
    with stack._alone(), pytest.raises(ClicktrailError, match="Another clicktrail up or down is at work"):
        Stack(settings, stack.services).up()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_start_leaves_nothing(settings: Settings, number: signal.Signals) -> None:
    script = (
        "import signal, sys; from pathlib import Path; from clicktrail.settings import Settings\n"
        "from clicktrail.servers import Service, Stack\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "settings = Settings(home=Path(sys.argv[1]))\n"
        "sleeper = lambda name: Service(name, ('sleep', '600'), check=lambda: 'never', memory_mb=1)\n"
        "Stack(settings, [sleeper('one'), sleeper('two')]).up()\n"
    )
    files = Files(settings.home)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(settings.home)], cwd=PROJECT, stderr=subprocess.PIPE, text=True
    ) as starting:
        deadline = time.monotonic() + 60
        while not all(files.pid(name).exists() for name in ("one", "two")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        pids = [int(files.pid(name).read_text()) for name in ("one", "two")]
        starting.send_signal(number)
        _, said = starting.communicate(timeout=60)

    assert starting.returncode != 0
    assert "KeyboardInterrupt" in said
    for pid in pids:
        gone(pid)
    assert not list(files.run.glob("*.pid"))


def is_running(pid: int) -> bool:
    try:
        return process.is_alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def gone(pid: int) -> None:
    """Wait until a process has ended."""
    deadline = time.monotonic() + 60
    while is_running(pid):
        assert time.monotonic() < deadline, f"{pid} still runs"
        time.sleep(0.02)
