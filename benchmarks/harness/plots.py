"""The results as pictures (SVG), drawn by matplotlib without a screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import summary
from benchmarks.harness.results import Report, collect

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = ("#1b6ca8", "#d1495b", "#edae49", "#3c8d5a", "#7a5195", "#5c6b73", "#00798c", "#b56576")
_PARTS = {"engine": "#1b6ca8", "broker": "#edae49", "cassandra": "#5c6b73"}
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "clicktrail",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def draw(report: Report, folder: Path, name: str) -> dict[str, str]:
    """Draw what there are results for; title of each picture and its file's name."""
    import matplotlib

    matplotlib.use("svg")
    pictures: dict[str, tuple[str, Callable[[Report], Figure | None]]] = {
        "rates": ("Events a second, from the start", rates),
        "drains": ("Seconds from the start", drains),
        "cpu": ("Processor seconds for a million events", processor),
        "memory": ("Peak memory", memory),
        "latency": ("Send to readable row", latencies),
        "scaling": ("How events a second change", scaling),
    }
    drawn: dict[str, str] = {}
    with matplotlib.rc_context(_STYLE):
        for part, (title, picture) in pictures.items():
            figure = picture(report)
            file = folder / f"{name}-{part}.svg"
            file.unlink(missing_ok=True)
            if figure is not None:
                figure.savefig(file, metadata={"Date": None})
                drawn[part] = f"![{title}]({file.name})"
    return drawn


def rates(report: Report) -> Figure | None:
    """Bars by contender at each size, the tightest limit as a line."""
    found = summary.drained(report)
    if not found:
        return None
    figure, axes = _figure(8, 3.6)
    names, sizes = report.subjects("drain"), summary.sizes(report)
    width = 0.8 / len(sizes)
    for place, events in enumerate(sizes):
        rows = [row for row in found if row.events == events]
        at = [names.index(row.contender) + (place - (len(sizes) - 1) / 2) * width for row in rows]
        middle = [row.rate.median for row in rows]
        ranges = [
            [row.rate.median - row.rate.least for row in rows],
            [row.rate.most - row.rate.median for row in rows],
        ]
        shade = 0.35 + 0.65 * (place + 1) / len(sizes)
        colours = [_colour(names, row.contender) for row in rows]
        bars = axes.bar(at, middle, width * 0.92, yerr=ranges, color=colours, alpha=shade, error_kw={"lw": 1})
        axes.bar_label(bars, [f"{events:,}" for _ in rows], fontsize=6, rotation=90, padding=4)
    if limit := summary.tightest(report):
        axes.axhline(limit[1], color="black", lw=1, ls="--")
        said = f"{limit[0]}: {limit[1]:,.0f}"
        axes.text(0.995, limit[1], said, transform=axes.get_yaxis_transform(), ha="right", va="bottom")
    axes.set_xticks(range(len(names)), names)
    axes.margins(y=0.18)
    axes.grid(axis="x", visible=False)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_title("Events a second from the start: median, range; the number of events at each bar", loc="left")
    return figure


def drains(report: Report) -> Figure | None:
    """Seconds over events, both logarithmic, with the fitted start-up and rate."""
    names = report.subjects("drain")
    if not report.good("drain"):
        return None
    figure, axes = _figure(8, 4)
    sizes = summary.sizes(report)
    steps = [sizes[0] * (sizes[-1] / sizes[0]) ** (step / 50) for step in range(51)]
    for name in names:
        runs = report.good("drain", name)
        colour = _colour(names, name)
        xs, ys = [run.cell["events"] for run in runs], [summary.path_seconds(run) for run in runs]
        axes.plot(xs, ys, "o", ms=4, color=colour, label=name)
        if line := summary.line(report, name):
            axes.plot(steps, [line.seconds(events) for events in steps], color=colour, lw=1)
    _logarithmic(axes, sizes)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set_xlabel("events")
    axes.set_title(
        "Seconds from the start until all is acknowledged, with the fitted line (start-up + events / rate)", loc="left"
    )
    axes.legend()
    return figure


def processor(report: Report) -> Figure | None:
    """Stacked bars: engine, broker, Cassandra, at the largest size that most have."""
    found = summary.drained(report)
    if not found:
        return None
    events = common_size(report)
    rows = [row for row in found if row.events == events]
    figure, axes = _figure(8, 0.5 * len(rows) + 1.5)
    left = [0.0] * len(rows)
    for part, colour in _PARTS.items():
        seconds = [1e6 / getattr(row, part) for row in rows]
        bars = axes.barh([row.contender for row in rows], seconds, left=left, color=colour, label=part)
        axes.bar_label(
            bars, [f"{value:.0f}" if value >= 1 else "" for value in seconds], label_type="center", color="w"
        )
        left = [a + b for a, b in zip(left, seconds, strict=True)]
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_title(f"Processor seconds for a million events (drain of {events:,})", loc="left")
    figure.legend(ncols=3, loc="outside lower center")
    return figure


def memory(report: Report) -> Figure | None:
    """Peak memory over the number of events."""
    found = summary.drained(report)
    if not found or len(summary.sizes(report)) < 2:
        return None
    figure, axes = _figure(8, 3)
    names = report.subjects("drain")
    for name in names:
        rows = [row for row in found if row.contender == name]
        axes.plot(
            [row.events for row in rows], [row.memory_mib for row in rows], "o-", color=_colour(names, name), label=name
        )
    _logarithmic(axes, summary.sizes(report))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("events")
    axes.set_title("Peak resident memory with children, MiB", loc="left")
    axes.legend()
    return figure


def latencies(report: Report) -> Figure | None:
    """p50, p99 and the largest by contender and load, logarithmic."""
    runs = report.good("latency")
    if not runs:
        return None
    figure, axes = _figure(8, 3.6)
    names = report.subjects("latency")
    loads = sorted({float(run.cell["load"]) for run in runs})
    width = 0.8 / len(loads)
    for run in runs:
        at = names.index(run.subject) + (loads.index(float(run.cell["load"])) - (len(loads) - 1) / 2) * width
        low, high, most = (run.figures[name] for name in ("p50", "p99", "max"))
        colour = _colour(names, run.subject)
        axes.plot([at, at], [low, most], color=colour, lw=1)
        for value, mark in ((low, "o"), (high, "s"), (most, "_")):
            axes.plot([at], [value], mark, color=colour, ms=6)
        axes.annotate(
            f"{run.cell['load']:.0%}", (at, low), (0, -12), textcoords="offset points", ha="center", fontsize=7
        )
    axes.set_yscale("log")
    axes.margins(y=0.15)
    axes.yaxis.set_major_formatter("{x:g} s")
    axes.yaxis.set_minor_formatter("")
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.grid(axis="x", visible=False)
    axes.set_title("From send to readable row: p50 (dot), p99 (square), largest (line), by load", loc="left")
    return figure


def scaling(report: Report) -> Figure | None:
    """A panel for each thing that varies."""
    runs = report.good("scaling")
    if not runs:
        return None
    axes_of = collect(runs, lambda run: run.cell["axis"])
    names = report.subjects("scaling")
    figure, panels = _figures(11, 3.6, len(axes_of))
    for panel, (axis, group) in zip(panels, axes_of.items(), strict=True):
        for name in names:
            cells = collect((run for run in group if run.subject == name), lambda run: run.cell["value"])
            values = sorted(cells)
            spreads = [
                summary.per(cells[value], lambda run: int(run.cell["events"]) / summary.path_seconds(run))
                for value in values
            ]
            ranges = [[s.median - s.least for s in spreads], [s.most - s.median for s in spreads]]
            middle = [s.median for s in spreads]
            panel.errorbar(values, middle, yerr=ranges, fmt="o-", ms=4, lw=1, color=_colour(names, name), label=name)
        _logarithmic(panel, sorted({int(run.cell["value"]) for run in group}))
        panel.set_ylim(bottom=0)
        panel.yaxis.set_major_formatter("{x:,.0f}")
        panel.set_title(str(axis), loc="left")
    panels[0].legend()
    panels[0].set_ylabel("events/s, start to exit")
    return figure


def common_size(report: Report) -> int:
    """The largest size that all contenders with results have; the largest of all where there is none."""
    found = [set(summary.sizes(report, name)) for name in report.subjects("drain") if summary.sizes(report, name)]
    return max(set.intersection(*found) or set.union(*found))


def _figures(width: float, height: float, columns: int) -> tuple[Figure, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    figure, (axes,) = _figures(width, height, 1)
    return figure, axes


def _logarithmic(axes: Any, values: Sequence[int]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(list(values), [_short(value) for value in values])
    axes.set_xticks([], minor=True)


def _short(value: int) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return str(value)


def _colour(names: Sequence[str], name: str) -> str:
    return _COLOURS[names.index(name) % len(_COLOURS)]
