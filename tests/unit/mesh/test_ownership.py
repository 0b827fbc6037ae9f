"""Who owns a data folder."""

from pathlib import Path

import pytest

from mesh.ownership import owned


def test_folder_has_one_owner(tmp_path: Path) -> None:
    """A second process is told to stay away, until the first is gone."""
    with (
        owned(tmp_path / "data", service="garden"),
        pytest.raises(SystemExit, match="another garden"),
        owned(tmp_path / "data", service="garden"),
    ):
        pytest.fail("owned twice")

    with owned(tmp_path / "data", service="garden"):
        assert (tmp_path / "data" / "lock").exists()
