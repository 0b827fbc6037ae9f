"""What a measurement found: a table and a report for people, JSON for programs."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import psutil
from rich.console import Console
from rich.table import Table

RESULTS = Path(".bench") / "results.json"
REPORT = Path(".bench") / "report.md"

_HEADINGS = ("name", "value", "unit", "reference", "ratio", "spread", "must", "goal")


@dataclass(frozen=True)
class Bound:
    """A limit for a figure; made by `at_least` and `at_most`.

    Attributes:
        sign: which side of the limit is good.
        limit: the limit itself still is good.
        of: what has to keep to it, the figure's value or its ratio to the reference.
    """

    sign: Literal[">=", "<="]
    limit: float
    of: Literal["value", "ratio"]

    def holds(self, value: float | None, ratio: float | None) -> bool:
        """Tell whether a figure keeps to the limit; what was not measured does not."""
        found = value if self.of == "value" else ratio
        if found is None:
            return False
        return found >= self.limit if self.sign == ">=" else found <= self.limit

    def __str__(self) -> str:
        """Return the bound as people write it: `>= 97.1`, `>= 3 x`."""
        return f"{self.sign} {self.limit:g}{' x' if self.of == 'ratio' else ''}"


def at_least(limit: float, *, of: Literal["value", "ratio"] = "value") -> Bound:
    """Return the bound of a figure that should be high."""
    return Bound(">=", limit, of)


def at_most(limit: float, *, of: Literal["value", "ratio"] = "value") -> Bound:
    """Return the bound of a figure that should be low."""
    return Bound("<=", limit, of)


@dataclass(frozen=True)
class Figure:
    """One measured value.

    Attributes:
        name: What was measured, dotted: `mesh.learn`.
        value: The mean over seeds, or the median of times; None where it could not be measured,
            and then the note tells why.
        unit: Its unit.
        reference: What it is compared with, in words; empty when with nothing.
        ratio: value / reference's value; None without a reference.
        must: What is demanded; None for no such demand. A miss fails the run.
        goal: What is wished for; a miss is shown, no more.
        runs: The single values, one for each seed or repetition, in order.
        note: What a reader has to know: a subset, a different protocol.
        part: The part of the measurements it belongs to; set by `python -m tests.bench`.
    """

    name: str
    value: float | None
    unit: str
    reference: str = ""
    ratio: float | None = None
    must: Bound | None = None
    goal: Bound | None = None
    runs: Sequence[float] = ()
    note: str = ""
    part: str = ""

    @property
    def met(self) -> bool:
        """Whether it is as demanded."""
        return self.must is None or self.must.holds(self.value, self.ratio)

    @property
    def reached(self) -> bool:
        """Whether it is as wished for."""
        return self.goal is None or self.goal.holds(self.value, self.ratio)

    @property
    def spread(self) -> float | None:
        """Standard deviation of the runs; None for fewer than two."""
        return statistics.stdev(self.runs) if len(self.runs) > 1 else None


def machine_facts() -> dict[str, Any]:
    """Return what a figure depends on besides the code."""
    return {
        "processor": _processor(),
        "logical_cores": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "python": platform.python_version(),
        "system": platform.platform(),
        "load_average_before": os.getloadavg()[0],
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_results(figures: Sequence[Figure], facts: dict[str, Any]) -> None:
    """Write `.bench/results.json` and `.bench/report.md`."""
    RESULTS.parent.mkdir(exist_ok=True)
    content = {"machine": facts, "figures": [_as_json(figure) for figure in figures]}
    RESULTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    REPORT.write_text(render_report(figures, facts), encoding="utf-8")


def render_report(figures: Sequence[Figure], facts: dict[str, Any]) -> str:
    """Return the figures as a page of Markdown, one table for each part."""
    lines = ["# Measured", ""]
    lines += [f"* {name.replace('_', ' ')}: {value}" for name, value in facts.items()]
    lines += ["", *_verdicts(figures)]
    for part, group in groupby(figures, key=lambda figure: figure.part):
        lines += ["", f"## {part}", "", "| " + " | ".join(_HEADINGS) + " |"]
        lines.append("| --- | ---: | --- | --- | ---: | ---: | --- | --- |")
        lines += _markdown_rows(list(group))
    return "\n".join(lines) + "\n"


def print_table(figures: Sequence[Figure]) -> None:
    """Print the figures as one table for each part."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    for part, group in groupby(figures, key=lambda figure: figure.part):
        members = list(group)
        notes = _notes(members)
        table = Table(title=part, title_justify="left")
        for heading in _HEADINGS:
            right = heading in {"value", "ratio", "spread"}
            side: Literal["left", "right"] = "right" if right else "left"
            table.add_column(heading, justify=side, overflow="fold", no_wrap=heading == "name")
        for figure in members:
            *others, must, goal = _cells(figure, notes)
            table.add_row(
                *others,
                must if figure.met else f"[red]{must}[/]",
                goal if figure.reached else f"[yellow]{goal}[/]",
            )
        console.print(table)
        for number, note in enumerate(notes, 1):
            console.print(f"({number}) {note}", highlight=False)


def _as_json(figure: Figure) -> dict[str, Any]:
    content = asdict(figure)
    content |= {"must": None if figure.must is None else str(figure.must), "met": figure.met}
    content |= {"goal": None if figure.goal is None else str(figure.goal)}
    content |= {"reached": figure.reached, "spread": figure.spread, "seeds": list(figure.runs)}
    del content["runs"]
    return content


def _markdown_rows(figures: list[Figure]) -> list[str]:
    notes = _notes(figures)
    rows = ["| " + " | ".join(_cells(figure, notes)) + " |" for figure in figures]
    if notes:
        rows += ["", *(f"{place}. {note}" for place, note in enumerate(notes, 1))]
    return rows


def _verdicts(figures: Sequence[Figure]) -> list[str]:
    musts = [figure for figure in figures if figure.must is not None]
    goals = [figure for figure in figures if figure.goal is not None]
    missed = [figure.name for figure in musts if not figure.met]
    open_goals = [figure.name for figure in goals if not figure.reached]
    lines = [f"{len(musts) - len(missed)} of {len(musts)} demands are met."]
    if missed:
        lines.append(f"Missed: {', '.join(missed)}.")
    lines.append(f"{len(goals) - len(open_goals)} of {len(goals)} goals are reached.")
    if open_goals:
        lines.append(f"Not reached: {', '.join(open_goals)}.")
    return lines


def _notes(figures: Sequence[Figure]) -> list[str]:
    """Return each note once; a figure shows the number of its own."""
    return list(dict.fromkeys(figure.note for figure in figures if figure.note))


def _cells(figure: Figure, notes: list[str]) -> tuple[str, ...]:
    name = figure.name + (f" ({notes.index(figure.note) + 1})" if figure.note else "")
    must = "" if figure.must is None else f"{figure.must}{'' if figure.met else ' MISSED'}"
    goal = "" if figure.goal is None else f"{figure.goal}{'' if figure.reached else ' not yet'}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.3g}"
    spread = "" if figure.spread is None else f"{_number(figure.spread)} of {len(figure.runs)}"
    value = _number(figure.value)
    return name, value, figure.unit, figure.reference, ratio, spread, must, goal


def _number(value: float | None) -> str:
    if value is None:
        return "not measured"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
