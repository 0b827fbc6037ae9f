"""Learn under random faults for a while, and say whether anything was lost.

Each part starts a mesh of its own, streams rows into networks through Envoy and kills processes
at random moments. In the end every network must equal, bit for bit, one that learned the same
rows without interruption. .bench/soak.json and .bench/soak.md hold the report; exit code 1
when something is not as it should be.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from kyouko.kernels.warmup import warm_up
from tests.soak.report import write_report
from tests.soak.run import Report, Terms, soak

PARTS = {
    "files": (
        "kyouko is killed; the journal is in files",
        Terms(frames=9000, clients=3, kills=50, leaves=4),
    ),
    "jetstream": (
        "kyouko and NATS are killed; the journal is in JetStream",
        Terms(frames=14_000, clients=3, kills=110, leaves=4, victims={"kyouko": 1, "nats": 1}),
    ),
    "steady": (
        "ten minutes in which all others are killed, clients come and go, and kyouko goes on",
        Terms(
            frames=40_000,
            clients=3,
            pause_seconds=0.014,
            kills=20,
            gap_seconds=20.0,
            victims={"envoy": 2, "misaki": 1, "shiori": 1, "torii": 1},
            leaves=40,
        ),
    ),
}


def main() -> int:
    """Run the parts asked for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all when none is named"
    )
    parser.add_argument("--kills", type=int, help="how many in each part")
    parser.add_argument("--frames", type=int, help="frames of each client")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    warm_up()
    reports: dict[str, Report] = {}
    for name in arguments.parts or PARTS:
        told, terms = PARTS[name]
        print(f"{name}: {told}", flush=True)
        terms = replace(
            terms,
            kills=arguments.kills or terms.kills,
            frames=arguments.frames or terms.frames,
            seed=arguments.seed,
        )
        with tempfile.TemporaryDirectory() as folder:
            reports[name] = soak(
                Path(folder),
                terms,
                say=lambda text: print(f"  {text}", flush=True),
                with_nats="nats" in terms.victims,
            )
    write_report(reports, {name: PARTS[name][0] for name in reports})
    return int(any(report.problems for report in reports.values()))


if __name__ == "__main__":
    sys.exit(main())
