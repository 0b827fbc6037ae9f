"""How many threads compute at the same time."""

from pathlib import Path

import pytest

from kyouko.cpu_quota import usable_processors


@pytest.mark.parametrize(("quota", "expected"), [("100000 100000", 1), ("5000 100000", 1)])
def test_a_quota_bounds_the_threads(tmp_path: Path, quota: str, expected: int) -> None:
    """A container with one processor or less gets one thread, whatever the machine has."""
    file = tmp_path / "cpu.max"
    file.write_text(quota)

    assert expected == usable_processors(file)


@pytest.mark.parametrize("content", ["max 100000", "nonsense", None])
def test_without_a_quota_the_machine_counts(tmp_path: Path, content: str | None) -> None:
    """No limit, no such file, or one of another form: all processors, one at least."""
    file = tmp_path / "cpu.max"
    if content is not None:
        file.write_text(content)

    assert usable_processors(tmp_path / "none") == usable_processors(file) >= 1
