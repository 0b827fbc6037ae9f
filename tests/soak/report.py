"""What a soak saw, as a table for people and as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.report import machine_facts
from tests.soak.run import Report, memory_growth

FOLDER = Path(".bench")


def write_report(reports: Mapping[str, Report], told: Mapping[str, str]) -> None:
    """Print a report and write it."""
    FOLDER.mkdir(exist_ok=True)
    lines = ["# Learning under faults", ""]
    for name, report in reports.items():
        lines += [f"## {name}: {told[name]}", "", *_table(report), ""]
    text = "\n".join(lines)
    print(text)
    (FOLDER / "soak.md").write_text(text, encoding="utf-8")
    data = {"machine": machine_facts(), "parts": {n: _data(r) for n, r in reports.items()}}
    (FOLDER / "soak.json").write_text(json.dumps(data, indent=1), encoding="utf-8")


def _table(report: Report) -> list[str]:
    kills = ", ".join(f"{name} {count}" for name, count in sorted(report.kills.items()))
    recovery = sorted(report.recovery_seconds) or [0.0]
    memory = [used for _, used in report.memory_bytes] or [0]
    rows = [
        ("seconds", f"{report.seconds:,.0f}"),
        ("rows learned", f"{report.learned_rows:,}"),
        ("frames answered", f"{sum(told.frames for told in report.told):,}"),
        ("kills", kills or "none"),
        ("streams opened again", f"{sum(told.breaks for told in report.told)}"),
        ("clients that left and were followed", f"{sum(t.clients - 1 for t in report.told)}"),
        ("start after a kill, median and most", f"{_middle(recovery):.1f} s, {recovery[-1]:.1f} s"),
        ("longest silence of a stream", f"{max(t.longest_silence for t in report.told):.1f} s"),
        ("memory of kyouko, most", f"{max(memory) / 2**20:,.0f} MiB"),
        ("its growth in the last quarter", f"{memory_growth(report.memory_bytes):+.1%}"),
        ("networks that differ from their twins, or other problems", f"{len(report.problems)}"),
    ]
    table = ["| what | seen |", "|---|---|", *(f"| {what} | {seen} |" for what, seen in rows)]
    return [*table, *(f"* {problem}" for problem in report.problems)]


def _middle(values: Sequence[float]) -> float:
    return values[len(values) // 2]


def _data(report: Report) -> dict[str, object]:
    told = [
        {name: value for name, value in vars(each).items() if name != "began"}
        for each in report.told
    ]
    plain = {name: value for name, value in vars(report).items() if name != "told"}
    return {**plain, "kills": dict(report.kills), "told": told}
