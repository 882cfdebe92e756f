"""The pipeline against what people would use in its place, and against what the machine can do: ``make bench``.

A stack of its own is started on free ports. ``--full`` is the whole matrix (``make bench-full``), without it the runs
that decide, within ``--minutes``. Results are kept in ``benchmarks/results`` after each run; ``--resume`` goes on where
an earlier call ended, ``--page`` only writes the page anew.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.harness import page, watch
from benchmarks.harness.plan import FAILURES, Bench, Options
from benchmarks.harness.results import FOLDER, Report
from benchmarks.harness.run import LOGS, Place
from clicktrail.servers import Stack, data_services
from clicktrail.settings import PROJECT
from tests.integration.support import stack_settings

PHASES = ("idle", "drain", "limits", "latency", "scaling")


def parser() -> argparse.ArgumentParser:
    """The options; what has no default here depends on ``--full``."""
    found = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--full", action="store_true", help="the whole matrix: hours")
    found.add_argument("--huge", action="store_true", help="also a drain of 10,000,000 events")
    found.add_argument("--only", default="", help="contenders, with commas between them; all by default")
    found.add_argument("--sizes", help="events of the drains, with commas between them")
    found.add_argument("--repetitions", type=int)
    found.add_argument("--skip", default="", help=f"phases, with commas between them: {', '.join(PHASES)}")
    found.add_argument("--levels", help="loads of the latency, in percent of each contender's maximum")
    found.add_argument("--latency-seconds", type=float, help="length of each load")
    found.add_argument("--warm-up-seconds", type=float, help="length of each load before the first that counts")
    found.add_argument("--limit-events", type=int)
    found.add_argument("--scaling-events", type=int, default=100_000)
    found.add_argument("--minutes", type=float, help="what would end later is left out; 0: no bound")
    found.add_argument("--resume", action="store_true", help="keep the results that are there")
    found.add_argument("--page", action="store_true", help="write the page of the kept results, run nothing")
    found.add_argument("--name", help="of the results' file (default: bench or bench-full, and what --only names)")
    return found


def options_of(given: argparse.Namespace) -> Options:
    """What the command line asks for."""
    full = given.full
    sizes = _numbers(given.sizes) or ((10_000, 100_000, 1_000_000) if full else (10_000, 100_000))
    only = tuple(_words(given.only))
    skip = frozenset(_words(given.skip))
    if unknown := skip - set(PHASES):
        raise SystemExit(f"--skip knows {', '.join(PHASES)}, not {', '.join(sorted(unknown))}")
    return Options(
        sizes=(*sizes, 10_000_000) if given.huge else tuple(sizes),
        repetitions=given.repetitions or (5 if full else 3),
        latency_levels=tuple(level / 100 for level in _numbers(given.levels) or ((10, 50, 80) if full else (50,))),
        latency_seconds=given.latency_seconds or (60 if full else 30),
        warm_up_seconds=given.warm_up_seconds or (30 if full else 15),
        limit_events=given.limit_events or (1_000_000 if full else 200_000),
        scaling_events=given.scaling_events,
        scaled=only or ("clicktrail", "java"),
        skip=skip if full else skip | {"scaling"},
        minutes=given.minutes if given.minutes is not None else 0 if full else 28,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, keep the results, write the page."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the servers are stopped then, as on Ctrl-C
    given = parser().parse_args(argv)
    options, console = options_of(given), Console()
    only = _words(given.only)
    name = "-".join(["bench-full" if given.full else "bench", *only])
    path = FOLDER / f"{given.name or name}.json"
    if not given.page:
        measure(options, only, path, given.resume, console)
    console.print(f"the page: {page.write(FOLDER)}", highlight=False)


def measure(options: Options, only: Sequence[str], path: Path, resume: bool, console: Console) -> None:
    """Start the servers, run everything, stop the servers."""
    from benchmarks.contenders import CONTENDERS
    from benchmarks.limits import LIMITS

    if unknown := set(only) - {each.name for each in CONTENDERS}:
        raise SystemExit(
            f"--only knows {', '.join(each.name for each in CONTENDERS)}, not {', '.join(sorted(unknown))}"
        )
    chosen = [each for each in CONTENDERS if not only or each.name in only]
    report = _report(path, options, resume)
    for each in list(chosen):
        report.about[each.name] = each.about
        try:
            with console.status(f"preparing {each.name}"):
                each.prepare()
        except FAILURES as error:
            chosen.remove(each)
            report.notes.append(f"{each.name} is left out: {' '.join(str(error).split())[-400:]}")
            console.print(report.notes[-1], style="red", markup=False, highlight=False)
    (PROJECT / "build").mkdir(exist_ok=True)
    shutil.rmtree(LOGS, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=PROJECT / "build") as folder:
        settings = stack_settings(Path(folder))
        stack = Stack(settings, data_services(settings))
        with console.status("starting ZooKeeper, Kafka and Cassandra"):
            stack.up()
        try:
            place = Place(settings, watch.server_pids(stack), Path(folder) / "runs")
            Bench(place, chosen, LIMITS, options, report, path, console).all()
        finally:
            report.save(path)
            stack.down()


def _report(path: Path, options: Options, resume: bool) -> Report:
    if resume and path.exists():
        known = Report.load(path)
        known.notes.clear()
        return known
    shown = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in vars(options).items()}
    return Report(machine=dict(watch.describe()), options=shown)


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _numbers(text: str | None) -> tuple[int, ...]:
    return tuple(int(word.replace("_", "")) for word in _words(text))


if __name__ == "__main__":
    main()
