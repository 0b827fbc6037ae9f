"""Send malformed messages to every service, by every way in, and say what came of it.

A mesh of its own is started. Every case comes from the seed and its number, so that what is
complained of can be seen again. .bench/fuzz.md and .bench/fuzz.json hold the report; exit code
1 when there is a complaint.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.fuzz.cases import SERVICES
from tests.fuzz.report import write_report
from tests.fuzz.run import Report, Runner, Terms
from tests.fuzz.stage import Theatre
from tests.soak.house import running_house

# Five services: 200,000 in all.
_MESSAGES = 40_000


def main() -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("services", nargs="*", help=f"of {', '.join(SERVICES)}; all by default")
    parser.add_argument("--messages", type=int, default=_MESSAGES, help="malformed, for each one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after these")
    parser.add_argument("--only", type=_numbers, help="these cases of the seed: 4711 or 4500-4999")
    given = parser.parse_args()
    if unknown := set(given.services) - set(SERVICES):
        parser.error(f"there is no service {', '.join(sorted(unknown))}")
    services = tuple(given.services) or SERVICES
    terms = Terms(given.seed, given.messages, services, given.minutes * 60, given.only)
    report = fuzz(terms)
    write_report(report)
    return int(bool(report.complaints))


def fuzz(terms: Terms) -> Report:
    """Start a mesh, run against it, and show how far it is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_house(Path(folder)) as house,
        Progress(*columns, TimeRemainingColumn(), console=console) as progress,
    ):
        total = terms.messages * len(terms.services)
        bar = progress.add_task("malformed messages", total=total)

        def show(report: Report) -> None:
            sent = sum(min(report.messages[s], terms.messages) for s in terms.services)
            progress.update(bar, completed=sent, description=f"{len(report.complaints)} complaints")

        theatre = Theatre(house)
        try:
            return asyncio.run(Runner(theatre, terms, show).run())
        finally:
            theatre.close()


def _numbers(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    sys.exit(main())
