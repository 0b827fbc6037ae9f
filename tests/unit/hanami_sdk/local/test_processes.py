"""Logs of processes, without any process."""

from pathlib import Path

from hanami_sdk.local.processes import last_lines, set_aside


def test_large_log_is_set_aside_and_a_small_one_stays(tmp_path: Path) -> None:
    """Only a log above the limit is renamed, and replaces the one before it."""
    large, small = tmp_path / "large.log", tmp_path / "small.log"
    large.write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    small.write_text("kept")
    (tmp_path / "large.log.1").write_text("the one before")

    for path in (large, small, tmp_path / "missing.log"):
        set_aside(path)

    assert ["large.log.1", "small.log"] == sorted(path.name for path in tmp_path.iterdir())
    assert 10 * 1024 * 1024 < (tmp_path / "large.log.1").stat().st_size


def test_last_lines_are_the_end_of_a_log(tmp_path: Path) -> None:
    """The last lines come oldest first; bytes that are no text do not matter."""
    log = tmp_path / "a.log"
    log.write_bytes(b"one\ntwo\n\xff three\n")

    assert ["two", "\ufffd three"] == last_lines(log, 2)
    assert [] == last_lines(tmp_path / "missing.log", 2)
