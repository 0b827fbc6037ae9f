"""A million adversarial rows for each kind of network: it lives, and its memory is bounded.

Each kind runs in a process of its own, which a crash would end, and which alone counts its
memory: what the process grows by after the first rows has to stay below the declared limit.
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass

import psutil

from tests.bench.mnist import Mnist
from tests.bench.progress import follow
from tests.bench.report import Figure, at_least, at_most
from tests.reference.adversity import Trial, adverse_structures

ROWS = 1_000_000
_LIMIT = 16_000_000
# Rows after which the interpreter, the kernels and the generator of rows have what they need.
_SETTLED_ROWS = 20_000
_CHECKS = 20


@dataclass(frozen=True)
class Survived:
    """What became of one kind.

    Attributes:
        rows: learned.
        most_bytes: the most that the network said it holds.
        grown_bytes: what the process grew by after the first 20,000 rows, at most.
    """

    rows: int
    most_bytes: int
    grown_bytes: int


def measure(_: Mnist, runs: int) -> list[Figure]:
    """Send a million rows to every kind, whatever the number of runs."""
    figures = []
    for kind in follow(list(adverse_structures(_LIMIT)), "adversarial rows"):
        name = f"adversarial.{kind.replace(' ', '_')}"
        survived = _run_apart(kind)
        if survived is None:
            figures.append(Figure(f"{name}.rows", None, "rows", must=at_least(ROWS)))
            continue
        figures += [
            Figure(f"{name}.rows", survived.rows, "rows", must=at_least(ROWS)),
            Figure(
                f"{name}.memory",
                survived.most_bytes,
                "bytes",
                "declared limit",
                survived.most_bytes / _LIMIT,
                must=at_most(1.0, of="ratio"),
            ),
            Figure(
                f"{name}.process_growth",
                survived.grown_bytes,
                "bytes",
                "declared limit",
                survived.grown_bytes / _LIMIT,
                must=at_most(1.0, of="ratio"),
            ),
        ]
    return figures


def survive(kind: str, rows: int) -> Survived:
    """Run one kind in this process.

    Raises:
        AssertionError: as soon as something that must be finite or bounded is not.
    """
    process = psutil.Process()
    trial = Trial.of(adverse_structures(_LIMIT)[kind], seed=21)
    settled, most, next_check = 0, 0, 0
    for done in trial.run(rows):
        if done < _SETTLED_ROWS:
            continue
        resident = process.memory_info().rss
        settled = settled or resident
        most = max(most, resident)
        if done >= next_check:
            trial.check_state()
            next_check = done + rows // _CHECKS
    trial.check_state()
    return Survived(trial.rows, trial.most_bytes, most - settled)


def _run_apart(kind: str) -> Survived | None:
    """Run one kind in a process of its own; None, and the reason on stderr, if it failed."""
    command = [sys.executable, "-m", "tests.bench.adversarial", kind, str(ROWS)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        print(f"adversarial rows ended {kind!r}:\n{ended.stderr}", file=sys.stderr)
        return None
    return Survived(**json.loads(ended.stdout))


if __name__ == "__main__":
    print(json.dumps(asdict(survive(sys.argv[1], int(sys.argv[2])))))
