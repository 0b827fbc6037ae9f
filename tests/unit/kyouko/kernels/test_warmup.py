"""Warming up covers everything that later use needs."""

from pathlib import Path

import numpy as np
import pytest

from kyouko.domain.engine import Arrival, TaskKind, create_engine
from kyouko.kernels import compile as compilation
from kyouko.kernels import growth, learning, predicting, pruning, scanning
from kyouko.kernels.warmup import warm_up
from kyouko.kernels.warmup_experts import EXPERT_KERNELS
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
        predicting.predict_rows,
        growth.choose_bands,
        growth.start_outputs,
        pruning.prune_channels,
        scanning.count_non_finite,
        *EXPERT_KERNELS,
    ):
        assert 1 == len(kernel.signatures), kernel  # type: ignore[union-attr]
    assert 2 == len(scanning.scan_rows.signatures)  # type: ignore[attr-defined]


def test_the_cache_belongs_to_these_sources() -> None:
    """The cache folder carries the stamp of all kernel sources."""
    folder = compilation.cache_folder()

    assert compilation.SOURCE_STAMP in folder.name


def test_argument_names() -> None:
    """Parameter names come in the order of the signature, without local variables."""
    names = compilation.argument_names(scanning.scan_rows)

    assert ("inputs", "scan_low", "scan_high", "first", "stop", "first_slot") == names[:6]
    assert "scan_words" == names[-1]


def test_a_read_only_warm_cache_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels compiled into a read-only image are used from a copy in a writable folder."""
    image, home = tmp_path / "image", tmp_path / "home"
    name = compilation.cache_folder().name
    (image / name).mkdir(parents=True)
    (image / name / "kernel.nbi").write_bytes(b"compiled")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(image))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.setattr(compilation, "_is_writable", lambda folder: home in folder.parents)
    (home / "hanami" / name).mkdir(parents=True)

    found = compilation._find_cache_folder()

    assert home / "hanami" / name == found
    assert b"compiled" == (found / "kernel.nbi").read_bytes()
