"""Measure the networks and the mesh, with peers in the same run.

Every part prints a table; .bench/results.json and .bench/report.md hold all parts of the run.
Defaults only: nothing is tuned per data set. Exit code 1 when a demand is missed; goals are
only shown.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.bench import (
    adversarial,
    compiling,
    experts,
    identity,
    idle,
    incremental,
    journal,
    learning_mnist,
    memory,
    mesh,
    organising,
    roofline,
    scale_freedom,
    scores,
    start,
    streams,
    threads,
    time_series,
)
from tests.bench.mnist import Mnist, load_mnist
from tests.bench.report import Figure, machine_facts, print_table, write_results


@dataclass(frozen=True)
class Part:
    """One part of the measurements: `measure(data, runs)`, and what it tells."""

    measure: Callable[[Mnist, int], list[Figure]]
    tells: str


PARTS = {
    "mnist": Part(learning_mnist.measure, "accuracy and speed on MNIST, with peers"),
    "machine": Part(roofline.measure, "what the machine can do, and what the engine makes of it"),
    "compile": Part(compiling.measure, "kernels compiled anew, and loaded from the cache"),
    "memory": Part(memory.measure, "bytes of each kind, and a pool filled to its bound"),
    "threads": Part(threads.measure, "two networks on two cores"),
    "scale": Part(
        scale_freedom.measure, "other units, offsets, faults and noise, nothing configured"
    ),
    "organise": Part(organising.measure, "neighbouring pixels found by the network itself"),
    "incremental": Part(incremental.measure, "classes and inputs that come one after the other"),
    "time": Part(time_series.measure, "series in time through delays, with peers"),
    "streams": Part(streams.measure, "streams of few channels, against River's best models"),
    "scores": Part(scores.measure, "scores in the stream: what each costs, what they promise"),
    "experts": Part(experts.measure, "what each expert beside a network costs for a row"),
    "adversarial": Part(adversarial.measure, "a million rows nobody would send, for each kind"),
    "journal": Part(journal.measure, "the file journal against bare write and fdatasync"),
    "idle": Part(idle.measure, "500 networks that nobody uses, and how soon one is back"),
    "start": Part(start.measure, "how long `hanami up` takes"),
    "identity": Part(identity.measure, "logins, authorised calls, the rotation of a key"),
    "mesh": Part(mesh.measure, "learning through Envoy and gRPC against the engine alone"),
}


def main() -> int:
    """Run the parts asked for."""
    parser = _parser()
    given = parser.parse_args()
    unknown = set(given.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    facts = machine_facts()
    data = load_mnist()
    figures: list[Figure] = []
    for name in given.parts or PARTS:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        found = [replace(figure, part=name) for figure in PARTS[name].measure(data, given.runs)]
        print_table(found)
        figures += found
        # After each part, so that an interrupted run leaves what it found.
        write_results(figures, facts)
    return 0 if all(figure.met for figure in figures) else 1


def _parser() -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:<12} {part.tells}" for name, part in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        epilog=f"parts (`make bench T=mnist` runs one, `make bench` all):\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="all when none is named")
    parser.add_argument("--runs", type=int, default=5, help="seeds or repetitions (default 5)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
