"""The results as a page for people: ``benchmarks/results/README.md`` with its pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.harness import plots, summary
from benchmarks.harness.fit import Spread
from benchmarks.harness.results import NOISY, Report, Result, collect
from benchmarks.harness.targets import targets

CHAPTERS = {"bench-full": "The whole matrix (`make bench-full`)", "bench": "The runs that decide (`make bench`)"}
_INTRODUCTION = """# How fast, against what

<!-- Made by `python -m benchmarks --page` from the JSON files beside it; do not edit. -->

Every contender does the same work on the same servers: parse, validate and enrich each event, write the good ones to
Kafka and to `events_by_user_day`, the bad ones to the dead-letter topic, and commit only what both have acknowledged.
A run counts only where the rows, the events in Kafka and the dead letters are in number and by checksum what
`clicktrail.job.decode` makes of the source topic. Rates are from the start of the process, start-up included, until
both sinks have acknowledged the last event: for most that is their exit; clicktrail's ledger tells. Until its exit it
also makes the derived tables anew, which no other has: "to exit", processor time and memory hold that too. Numbers are
the median of the repetitions, with the range in brackets; contenders take turns in each repetition.
"""


def write(folder: Path) -> Path:
    """Write the page of what lies in a folder; results by another name get a page of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    chapters = [_INTRODUCTION]
    for name, title in CHAPTERS.items():
        if (path := folder / f"{name}.json").exists():
            chapters.append(f"## {title}\n\n" + chapter(Report.load(path), folder, name))
    for path in folder.glob("bench-*.json"):
        if path.stem not in CHAPTERS:
            text = f"# {path.stem}\n\n" + chapter(Report.load(path), folder, path.stem)
            path.with_suffix(".md").write_text(text, encoding="utf-8")
    page = folder / "README.md"
    page.write_text("\n".join(chapters), encoding="utf-8")
    return page


def chapter(report: Report, folder: Path, name: str) -> str:
    """All about one benchmark."""
    drawn = plots.draw(report, folder, name)
    parts = [
        _machine(report),
        _side_by_side(report),
        _targets(report),
        drawn.get("rates", ""),
        _drains(report),
        drawn.get("drains", ""),
        _processor(report),
        drawn.get("cpu", ""),
        drawn.get("memory", ""),
        _limits(report),
        _latency(report),
        drawn.get("latency", ""),
        _idle(report),
        _scaling(report),
        drawn.get("scaling", ""),
        _about(report),
        _problems(report),
        _loads(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int = 1) -> str:
    """A Markdown table; the columns from ``numbers_from`` on are flush right."""
    line = ["---" if place < numbers_from else "---:" for place in range(len(head))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, line, *rows))


def ranged(values: Spread, form: str = ",.0f") -> str:
    """The median and the range of repeated measurements."""
    if values.count == 1:
        return f"{values.median:{form}}"
    return f"{values.median:{form}} ({values.least:{form}}–{values.most:{form}})"


def share(report: Report, rate: float) -> str:
    """A rate as a share of the tightest limit."""
    limit = summary.tightest(report)
    return f"{rate / limit[1]:.1%}" if limit else "–"


def _machine(report: Report) -> str:
    about = report.machine
    noisy = [result for result in report.results if result.noisy]
    measured = [result for result in report.results if not result.problem]
    said = (
        f"Measured on {report.started_at[:10]}: {about['processor']}, {about['cores']} cores, {about['memory_gib']} "
        f"GiB, {about['system']}; one-minute load at the start {about['load_at_start']}. Servers, contenders and "
        f"clients share the machine. Events have {about.get('event_bytes', '–')} bytes on average."
    )
    if noisy:
        said += (
            f"\n\n**Noise:** in {len(noisy)} of {len(measured)} runs other programs had more than {NOISY:.0%} of the "
            "machine, during the run or right before it. They are marked in the list of runs"
            + ("; **the machine was too noisy to trust differences.**" if len(noisy) * 4 > len(measured) else ".")
        )
    elif measured:
        said += f" In no run had other programs more than {NOISY:.0%} of the machine."
    return said


def _side_by_side(report: Report) -> str:
    found = summary.drained(report)
    if not found:
        return ""
    events = plots.common_size(report)
    rows = {row.contender: row for row in found if row.events == events}
    ours = rows.get("clicktrail")
    latency = {run.subject: run for run in report.good("latency") if run.cell["load"] == 0.5}
    shown = []
    for name, row in rows.items():
        line, idle = summary.line(report, name), report.good("idle", name)
        shown.append(
            [
                name,
                ranged(row.rate),
                f"{ours.rate.median / row.rate.median:.2f}×" if ours else "–",
                share(report, row.rate.median),
                f"{line.startup:.1f} s" if line else "–",
                f"{line.rate:,.0f}" if line else "–",
                share(report, line.rate) if line else "–",
                f"{row.per_cpu_second:,.0f}",
                f"{row.memory_mib:,.0f}",
                f"{latency[name].figures['p50']:.2f} / {latency[name].figures['p99']:.2f} s"
                if name in latency
                else "–",
                f"{summary.per(idle, lambda run: run.figures['seconds']).median:.1f} s" if idle else "–",
            ]
        )
    head = ["contender", "events/s", "clicktrail is", "of the limit", "start-up", "steady events/s", "of the limit"]
    head += ["events a CPU second", "peak MiB", "p50 / p99 at half load", "idle run"]
    limit = summary.tightest(report)
    bound = f" The tightest limit is `{limit[0]}`, {limit[1]:,.0f} events/s." if limit else ""
    return f"### Side by side: {events:,} events\n\n{table(head, shown)}\n\n_{_fitted(report)}_{bound}"


def _fitted(report: Report) -> str:
    sizes = ", ".join(f"{events:,}" for events in summary.sizes(report))
    return f"Start-up and steady rate are fitted over the drains of {sizes} events: seconds = start-up + events / rate."


def _targets(report: Report) -> str:
    rows = [[target.what, target.found, target.wanted, "yes" if target.met else "**no**"] for target in targets(report)]
    if not rows:
        return ""
    return f"### What was aimed at\n\n{table(['target', 'found', 'wanted', 'reached'], rows, 4)}"


def _drains(report: Report) -> str:
    found = summary.drained(report)
    if not found:
        return ""
    rows = [
        [
            row.contender,
            f"{row.events:,}",
            ranged(row.seconds, ".1f"),
            ranged(row.rate),
            share(report, row.rate.median),
            f"{row.memory_mib:,.0f}",
            f"{row.seconds.count}" + (f", {row.noisy} noisy" if row.noisy else ""),
        ]
        for row in sorted(found, key=lambda row: row.events)
    ]
    head = ["contender", "events", "seconds to exit", "events/s", "of the limit", "peak MiB", "runs"]
    misfits = "; ".join(
        f"{name} {line.misfit:.0%}" for name in report.subjects("drain") if (line := summary.line(report, name))
    )
    return (
        f"### Drains\n\n{table(head, rows)}\n\nPeak memory is the resident memory of the process and its children, "
        f"summed. Largest distance of a run from the fitted line: {misfits or '–'}."
    )


def _processor(report: Report) -> str:
    found = summary.drained(report)
    if not found:
        return ""
    events = plots.common_size(report)
    rows = [
        [row.contender, *(f"{rate:,.0f}" for rate in (row.engine, row.broker, row.cassandra, row.per_cpu_second))]
        for row in found
        if row.events == events
    ]
    head = ["contender", "engine", "broker", "Cassandra", "all three"]
    return f"### Events for each processor second ({events:,} events)\n\n{table(head, rows)}"


def _limits(report: Report) -> str:
    found = summary.limits(report)
    if not found:
        return ""
    rows = []
    for name, rate in found.items():
        runs = report.good("limit", name)
        cost = summary.per(runs, lambda run: run.figures["cpu_seconds_per_million"])
        rows.append([name, report.about.get(name, ""), ranged(rate), f"{cost.median:.1f}" if cost.median else "–"])
    head = ["limit", "what it is", "events/s", "its CPU seconds a million"]
    return (
        f"### Limits\n\n{table(head, rows, 2)}\n\nThe tightest limit is the lowest of those that hold for all: the "
        "best way to write to Cassandra, and what Kafka's own tools do. The parse alone is that of one Python process."
    )


def _latency(report: Report) -> str:
    runs = report.good("latency")
    if not runs:
        return ""
    rows = []
    for run in sorted(runs, key=lambda run: (run.cell["load"], report.subjects("latency").index(run.subject))):
        figures = run.figures
        rows.append(
            [
                run.subject,
                f"{run.cell['load']:.0%}",
                f"{figures['rate']:,.0f}",
                share(report, figures["rate"]),
                *(f"{figures[name]:.2f}" for name in ("p50", "p99", "max")),
                f"{figures['looked_for']:.0f}" + (f", {figures['missing']:.0f} missing" if figures["missing"] else ""),
                f"{figures['ready_seconds']:.1f} s",
                "noisy" if run.noisy else "",
            ]
        )
    head = ["contender", "load", "events/s", "of the limit", "p50 s", "p99 s", "max s", "looked for", "on after", ""]
    return (
        f"### Latency: from the producer's send to the readable row, always on\n\n{table(head, rows)}\n\n"
        "The load is a share of what the contender sustains: its steady rate fitted from start to exit, for clicktrail "
        "with the derived tables. An event that is looked for is asked for every 20 ms, and after 0.2 s each tenth of "
        "what it has been waited for; missing ones were not there a minute after the last send."
    )


def _idle(report: Report) -> str:
    rows = [
        [name, ranged(summary.per(runs, lambda run: run.figures["seconds"]), ".1f"), str(len(runs))]
        for name in report.subjects("idle")
        if (runs := report.good("idle", name))
    ]
    if not rows:
        return ""
    return f"### Nothing to do: seconds from start to exit\n\n{table(['contender', 'seconds', 'runs'], rows)}"


def _scaling(report: Report) -> str:
    runs = report.good("scaling")
    if not runs:
        return ""
    names = report.subjects("scaling")
    rows = []
    for (axis, value, events), group in collect(
        runs, lambda r: (r.cell["axis"], r.cell["value"], r.cell["events"])
    ).items():
        cells = []
        for name in names:
            own = [run for run in group if run.subject == name]
            rate = summary.per(own, lambda run: int(run.cell["events"]) / summary.path_seconds(run)) if own else None
            cost = summary.per(own, _cpu_of_million) if own else None
            cells += [ranged(rate), share(report, rate.median), f"{cost.median:.0f}"] if rate and cost else ["–"] * 3
        rows.append([str(axis), f"{value:,}", f"{events:,}", *cells])
    head = ["what varies", "value", "events"]
    for name in names:
        head += [f"{name} events/s", "of the limit", "CPU s a million"]
    return (
        f"### How the cost grows\n\n{table(head, rows)}\n\n"
        "CPU seconds are those of engine, broker and Cassandra together."
    )


def _cpu_of_million(run: Result) -> float:
    seconds = sum(run.figures[f"{part}_cpu"] for part in ("engine", "broker", "cassandra"))
    return seconds * 1e6 / int(run.cell["events"])


def _about(report: Report) -> str:
    limits = set(report.subjects("limit"))
    rows = [f"- **{name}**: {about}" for name, about in report.about.items() if name not in limits]
    return "### The contenders\n\n" + "\n".join(rows) if rows else ""


def _problems(report: Report) -> str:
    lines = [
        f"- {result.kind} {result.subject} {_cell(result)}, repetition {result.repetition}: "
        f"{' '.join(result.problem.split())[:400]}"
        for result in report.results
        if result.problem
    ]
    lines += [f"- {note}" for note in report.notes]
    return "### What does not count, and what was left out\n\n" + "\n".join(lines) if lines else ""


def _loads(report: Report) -> str:
    rows = [
        [
            f"{result.kind} {result.subject}",
            _cell(result),
            str(result.repetition),
            f"{result.figures['load_before']:.1f}",
            f"{result.figures['others_before']:.0%}" if "others_before" in result.figures else "–",
            f"{result.figures['others']:.0%}",
            "noisy" if result.noisy else "",
        ]
        for result in report.results
        if "others" in result.figures
    ]
    if not rows:
        return ""
    head = ["run", "of", "repetition", "load before", "others before", "others during", ""]
    return (
        "<details><summary>Every run: the machine before and beside it</summary>\n\n"
        + table(head, rows, 2)
        + "\n\nLoad is the system's one-minute figure, the run before included; others is the share of "
        "the machine that neither the contender nor the servers had, in the second before the start and during the run."
        "\n\n</details>"
    )


def _cell(result: Result) -> str:
    return ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in result.cell.items()
    )
