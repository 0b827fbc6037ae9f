"""Warming up covers everything that later use needs."""

import numpy as np
import pytest

from kyouko.domain.engine import Arrival, TaskKind, create_engine
from kyouko.kernels import compile as compilation
from kyouko.kernels import growth, learning, scanning
from kyouko.kernels.warmup import warm_up
from tests.reference.structures import curve, flat, local, pictures, table


@pytest.mark.skipif(
    not hasattr(learning.learn_rows, "signatures"), reason="nothing is compiled without numba"
)
def test_use_compiles_nothing_more() -> None:
    """After warming up, no task, dtype or memory layout makes a kernel compile again."""
    seconds = warm_up()

    rows, labels = pictures(100)
    frozen = np.frombuffer(rows.tobytes(), np.float32).reshape(rows.shape)
    for structure, inputs, targets in (
        (local(), rows.astype(np.uint8), labels),
        (flat(144), frozen, labels),
        (flat(6), *table(100)),
        (flat(10, kind=TaskKind.NUMBERS, size=2), *curve(100, outputs=2)),
    ):
        engine = create_engine(structure)
        for arrival in Arrival:
            engine.learn(inputs, targets, arrival=arrival)
        engine.predict(inputs)

    assert seconds > 0.0
    for kernel in (
        learning.learn_rows,
        learning.predict_rows,
        growth.choose_bands,
        growth.start_outputs,
        scanning.count_non_finite,
    ):
        assert 1 == len(kernel.signatures), kernel  # type: ignore[union-attr]
    assert 2 == len(scanning.scan_rows.signatures)  # type: ignore[attr-defined]


def test_the_cache_belongs_to_these_sources() -> None:
    """The cache folder carries the stamp of all kernel sources."""
    folder = compilation.cache_folder()

    assert folder is not None
    assert compilation.SOURCE_STAMP in folder.name


def test_argument_names() -> None:
    """Parameter names come in the order of the signature, without local variables."""
    names = compilation.argument_names(scanning.scan_rows)

    assert ("inputs", "scan_low", "scan_high", "first", "stop", "first_slot") == names[:6]
    assert "list_length" == names[-1]
