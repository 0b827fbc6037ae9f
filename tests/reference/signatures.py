"""How often each compiled function was compiled, in a process that starts with nothing.

`python -m tests.reference.signatures` warms up, runs every kind of engine, and prints as JSON the
signatures of each kernel and part by name. In a process with a warm cache parts have none, because
kernels come with them inside.
"""

import importlib
import json
import pkgutil
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

import kyouko.kernels
from kyouko.domain.engine import (
    Arrival,
    InputPopulation,
    NetworkStructure,
    Optimizer,
    TaskKind,
    create_engine,
    restore_engine,
)
from kyouko.kernels import indices
from kyouko.kernels.warmup import warm_up, warm_up_dense
from tests.reference.structures import (
    bricks,
    curve,
    delayed,
    far,
    flat,
    local,
    organising,
    pictures,
    spiking,
    static,
    table,
)

_Case = tuple[NetworkStructure, npt.NDArray[Any], npt.NDArray[Any]]


def list_signatures() -> dict[str, list[str]]:
    """Return the signatures of all compiled functions in the kernels' files, by full name."""
    found: dict[str, list[str]] = {}
    for item in pkgutil.iter_modules(kyouko.kernels.__path__, "kyouko.kernels."):
        module = importlib.import_module(item.name)
        for name, value in vars(module).items():
            if hasattr(value, "py_func") and value.py_func.__module__ == item.name:
                found[f"{item.name}.{name}"] = [str(kinds) for kinds in value.signatures]
    return found


def run_every_engine() -> None:
    """Let engines of all kinds learn, predict, grow wider, be reviewed, pruned and restored."""
    rows, labels = pictures(700)
    read_only = np.frombuffer(rows.tobytes(), np.float32).reshape(rows.shape)
    numbers = curve(700, outputs=2)
    cases: list[_Case] = [
        (local(), rows.astype(np.uint8), labels),
        (flat(144), read_only, labels),
        (organising(144), rows, labels),
        (bricks(), rows, labels),
        (spiking(144), np.asfortranarray(rows), labels),
        (far(), *table(700)),
        (flat(6), *table(700)),
        (delayed(flat(6), 1, 3), *table(700)),
        (flat(10, kind=TaskKind.NUMBERS, size=2), *numbers),
        (static(flat(6), 8), *table(700)),
        (static(flat(144), 8), rows.astype(np.uint8), labels),
        (static(flat(10, kind=TaskKind.NUMBERS, size=2), 8, optimizer=Optimizer.ADAM), *numbers),
    ]
    for structure, inputs, targets in cases:
        for arrival in Arrival:
            engine = create_engine(structure)
            engine.learn(inputs, targets, arrival=arrival)
            engine.predict(inputs)
            restored = restore_engine(structure, engine.export_state())
            restored.learn(inputs[:10], targets[:10], arrival=arrival)
    _run_long()


def _run_long() -> None:
    """Run until channels are pruned, then add two."""
    plain = flat(6)
    engine = create_engine(replace(plain, options=replace(plain.options, experts=False)))
    inputs, targets = table(indices.PRUNE_EVERY + 100)
    engine.learn(inputs, targets, arrival=Arrival.STREAMED)
    engine.add_channels(InputPopulation("more", 2, (2, 1, 1), (0.0, 1.0, 0.0)))
    wide = np.hstack((inputs, inputs[:, :2]))
    engine.learn(wide[:300], targets[:300], arrival=Arrival.STREAMED)
    engine.predict(wide[:300])


if __name__ == "__main__":
    warm_up(processors=1)
    warm_up_dense()
    warmed = list_signatures()
    run_every_engine()
    print(json.dumps({"warmed": warmed, "used": list_signatures()}))
