"""Runs the measurements and writes `.bench/results.json`.

    python -m tests.bench [engine] [start] [mesh] [--runs N]

Exit code 1 when a demanded ratio is missed.
"""

import argparse
import sys

from tests.bench import engine, mesh, start
from tests.bench.mnist import load_mnist
from tests.bench.report import Figure, machine_facts, print_table, write_results

PARTS = {"engine": engine.measure, "start": start.measure, "mesh": mesh.measure}


def main() -> int:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--runs", type=int, default=5, help="alternating runs (default 5)")
    given = parser.parse_args()
    unknown = set(given.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    facts = machine_facts()
    data = load_mnist()
    figures: list[Figure] = []
    for name in given.parts or PARTS:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        figures += PARTS[name](data, given.runs)
    print_table(figures)
    write_results(figures, facts)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
