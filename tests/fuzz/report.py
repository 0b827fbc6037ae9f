"""What a fuzz run saw, as a table for people and as JSON."""

import json
from collections import Counter
from pathlib import Path

from tests.bench.report import machine_facts
from tests.fuzz.run import Report
from tests.rpcs import every_rpc

FOLDER = Path(".bench")


def write_report(report: Report) -> None:
    """Print a report and write it to `.bench`."""
    FOLDER.mkdir(exist_ok=True)
    text = "\n".join(lines_of(report))
    print(text)
    (FOLDER / "fuzz.md").write_text(text, encoding="utf-8")
    data = {"machine": machine_facts(), **vars(report), "methods": sorted(report.methods)}
    (FOLDER / "fuzz.json").write_text(json.dumps(data, indent=1, default=vars), encoding="utf-8")


def lines_of(report: Report) -> list[str]:
    """Return a report as lines of Markdown."""
    rows = [
        ("seed, seconds", f"{report.seed}, {report.seconds:,.0f}"),
        ("malformed messages", f"{report.messages.total():,}"),
        *((f"... to {service}", f"{count:,}") for service, count in report.messages.most_common()),
        ("calls", f"{report.calls.total():,}"),
        ("... by way in", _counts(report.calls)),
        ("... by caller", _counts(report.callers)),
        ("methods called", f"{len(report.methods)} of {len(every_rpc())}"),
        ("what was sent", _counts(report.kinds)),
        ("how calls ended", _counts(report.endings)),
        ("slowest answer", f"{report.slowest_seconds:.1f} s"),
        ("stages set anew", f"{report.stages - 1}"),
        *((f"memory of {name}", text) for name, text in _memory(report).items()),
        ("complaints", f"{len(report.complaints)}"),
    ]
    table = ["| what | seen |", "|---|---|", *(f"| {what} | {seen} |" for what, seen in rows)]
    return [*table, *(f"* {complaint}" for complaint in report.complaints), ""]


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counter.most_common())


def _memory(report: Report) -> dict[str, str]:
    found = {}
    for name, now in report.after.items():
        warm = report.before[name].memory_bytes >> 20
        found[name] = f"{warm} MiB warm, {now.memory_bytes >> 20} MiB in the end"
    return found
