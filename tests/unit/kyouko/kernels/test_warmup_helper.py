"""The second process that compiles kernels."""

import subprocess
import sys
from pathlib import Path

import pytest

from kyouko.kernels.warmup_helper import helper


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules a helper can run."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_a_helper_is_waited_for(folder: Path) -> None:
    """After the block the helper has done its work."""
    (folder / "works.py").write_text("open(__file__ + '.done', 'w').close()")

    with helper("works") as process:
        pass

    assert (folder / "works.py.done").exists()
    assert process is not None
    assert 0 == process.returncode


def test_a_helper_that_fails_stops_nobody(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The block goes on, and the log tells what happened."""
    (folder / "fails.py").write_text("raise ValueError('no such kernel')")

    with helper("fails") as process:
        pass

    assert process is not None
    assert 1 == process.returncode
    assert "ValueError: no such kernel" in caplog.text


def test_where_no_process_starts_the_block_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A system that lets no second process start is no reason not to start."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")

    with helper("works") as process:
        pass

    assert process is None
    assert "no helper could be started" in caplog.text


def test_no_helper_is_left_behind(folder: Path) -> None:
    """A block that is interrupted ends its helper."""
    (folder / "waits.py").write_text("import threading; threading.Event().wait()")

    with pytest.raises(KeyboardInterrupt), helper("waits") as process:
        raise KeyboardInterrupt

    assert process is not None
    assert process.returncode is not None


def test_nothing_in_the_current_folder_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A service that is started in a user's folder takes no module from there."""
    (tmp_path / "stranger.py").write_text("open(__file__ + '.done', 'w').close()")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(tmp_path)

    with helper("stranger") as process:
        pass

    assert process is not None
    assert 1 == process.returncode
    assert not (tmp_path / "stranger.py.done").exists()
    assert "No module named stranger" in caplog.text


def test_a_helper_ends_with_the_process_that_asked_for_it() -> None:
    """Nothing tells a helper of the other's death but the end of its input."""
    program = (
        "import threading; from kyouko.kernels.warmup_helper import work_as_helper;"
        "work_as_helper(threading.Event().wait)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)

    process.communicate()

    assert 1 == process.returncode
