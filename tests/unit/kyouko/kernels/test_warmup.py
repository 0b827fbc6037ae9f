"""Warming up covers everything that later use needs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kyouko.kernels import compile as compilation
from kyouko.kernels import scanning

_ROOT = Path(__file__).parents[4]


@pytest.mark.timeout(600)
def test_everything_is_compiled_exactly_once(tmp_path: Path) -> None:
    """Each kernel and each part has one signature after warming up, and none more after use."""
    # Not optimised: the same signatures in half the time.
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(tmp_path),
        "NUMBA_OPT": "0",
        "NUMBA_DISABLE_JIT": "0",
    }
    command = [sys.executable, "-m", "tests.reference.signatures"]

    done = subprocess.run(
        command, env=environment, cwd=_ROOT, capture_output=True, text=True, check=False
    )

    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    warmed = {name: len(signatures) for name, signatures in found["warmed"].items()}
    assert dict.fromkeys(warmed, 1) == warmed
    assert set(warmed) > {
        "kyouko.kernels.dense.scale_dense",
        "kyouko.kernels.learning.learn_rows",
        "kyouko.kernels.scanning.scan_byte_rows",
        "kyouko.kernels.scanning.scan_float_rows",
    }
    assert found["warmed"] == found["used"]


def test_the_cache_belongs_to_these_sources() -> None:
    """The cache folder carries the stamp of all kernel sources."""
    folder = compilation.cache_folder()

    assert compilation.SOURCE_STAMP in folder.name


def test_argument_names() -> None:
    """Parameter names come in the order of the signature, without local variables."""
    names = compilation.argument_names(scanning.scan_byte_rows)

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
