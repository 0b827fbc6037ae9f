"""What a measurement found, as a table for people and as JSON for programs."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import psutil
from rich.console import Console
from rich.table import Table

RESULTS = Path(".bench") / "results.json"


@dataclass(frozen=True)
class Figure:
    """One measured value.

    Attributes:
        name: What was measured, dotted: `mesh.learn`.
        value: The median, where there are several runs.
        unit: Its unit.
        reference: What it is compared with, in words; empty when with nothing.
        ratio: value / reference's value; None without a reference.
        least: The least ratio demanded; None for no such demand.
        most: The greatest ratio demanded; None for no such demand.
        runs: The single runs, in order.
    """

    name: str
    value: float
    unit: str
    reference: str = ""
    ratio: float | None = None
    least: float | None = None
    most: float | None = None
    runs: Sequence[float] = ()

    @property
    def met(self) -> bool:
        """Whether the demands on the ratio are met."""
        if self.ratio is None:
            return self.least is None and self.most is None
        return (self.least is None or self.ratio >= self.least) and (
            self.most is None or self.ratio <= self.most
        )

    @property
    def demand(self) -> str:
        """What is demanded of the ratio, in signs."""
        bounds = ((">=", self.least), ("<=", self.most))
        return ", ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)


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
    """Write `.bench/results.json`."""
    RESULTS.parent.mkdir(exist_ok=True)
    content = {"machine": facts, "figures": [asdict(figure) for figure in figures]}
    RESULTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def print_table(figures: Sequence[Figure]) -> None:
    """Print the figures as a table."""
    table = Table(title="Measured")
    for heading in ("name", "value", "unit", "reference", "ratio", "demanded"):
        justify: Literal["left", "right"] = "right" if heading in {"value", "ratio"} else "left"
        table.add_column(heading, justify=justify, no_wrap=heading == "name")
    for figure in figures:
        table.add_row(
            figure.name,
            f"{figure.value:,.4g}" if figure.value < 1000 else f"{figure.value:,.0f}",
            figure.unit,
            figure.reference,
            "" if figure.ratio is None else f"{figure.ratio:.3f}",
            figure.demand if figure.met else f"[red]{figure.demand} MISSED[/red]",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
