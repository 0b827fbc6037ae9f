"""Memory this process may use."""

from pathlib import Path

from kyouko.memory_quota import usable_memory


def test_a_quota_bounds_the_memory(tmp_path: Path) -> None:
    """A container with one megabyte has one, whatever the machine has."""
    quota = tmp_path / "memory.max"
    quota.write_text("1048576\n", encoding="ascii")

    assert 1 << 20 == usable_memory(quota)


def test_without_a_quota_all_memory_may_be_used(tmp_path: Path) -> None:
    """No file, or a file that says "max", is no bound."""
    quota = tmp_path / "memory.max"
    without = usable_memory(quota)
    quota.write_text("max\n", encoding="ascii")

    assert without == usable_memory(quota)
    assert without > 1 << 20
