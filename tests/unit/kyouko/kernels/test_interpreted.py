"""The kernels say the same as plain Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["test_scanning.py", "test_growth.py", "test_vectors.py"])
def test_kernels_agree_with_their_twins_without_numba(name: str) -> None:
    """Interpreted kernels pass the tests against their slow twins, too (the quick ones here)."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(_HERE / name)]

    done = subprocess.run(
        command,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        cwd=_HERE.parents[3],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stdout
