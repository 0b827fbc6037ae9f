"""The kernels say the same as plain Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
# Every file of kernels, by tests that take a second each; all of them would take minutes.
_QUICK = {
    "dense": "",
    "experts": "",
    "graph": "long and connections and 90 or inner_rows",
    "growth": "",
    "learning": "table and 100 or curve",
    "pruning": "new_channels",
    "rehearsal": "kept_rows or nothing_is_asked",
    "scanning": "",
    "search": "",
    "shares": "",
    "vectors": "",
    "watching": "",
}


@pytest.mark.timeout(600)
def test_kernels_agree_with_their_twins_without_numba() -> None:
    """Interpreted kernels pass the tests against their slow twins, too (the quick ones)."""
    files = [str(_HERE / f"test_{name}.py") for name in _QUICK]
    left_out = " or ".join(
        f"(test_{name} and not ({chosen}))" for name, chosen in _QUICK.items() if chosen
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    command += ["-k", f"not ({left_out})"]

    done = subprocess.run(
        command,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        cwd=_HERE.parents[3],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stdout
    assert "deselected" in done.stdout


def test_no_file_of_kernels_is_forgotten() -> None:
    """Each file of tests beside this one is run interpreted, or is about compiling."""
    about_compiling = {"interpreted", "warmup", "warmup_helper"}
    names = {path.stem.removeprefix("test_") for path in _HERE.glob("test_*.py")}

    assert names - about_compiling == set(_QUICK)
