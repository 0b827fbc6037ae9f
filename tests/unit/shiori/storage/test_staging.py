"""Temporary folders of uploads."""

from pathlib import Path

import pytest

from shiori.storage.staging import UploadFolders


async def test_staged_files_are_gone_afterwards(tmp_path: Path) -> None:
    """Bytes are there while the upload is open, and the folder goes with it."""
    folders = UploadFolders(tmp_path / "uploads")

    async with folders.opened() as upload:
        upload.append("data", b"ab")
        upload.append("data", b"c")
        upload.close()
        content = upload.files()["data"].read_bytes()

    assert b"abc" == content
    assert [] == list((tmp_path / "uploads").iterdir())


async def test_staged_files_are_gone_after_an_error(tmp_path: Path) -> None:
    """An upload that fails with open files leaves nothing either."""
    folders = UploadFolders(tmp_path / "uploads")

    async def fail() -> None:
        async with folders.opened() as upload:
            upload.append("data", b"ab")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await fail()

    assert [] == list((tmp_path / "uploads").iterdir())


def test_leftovers_are_removed(tmp_path: Path) -> None:
    """Folders of a process that was killed go at the next start."""
    folders = UploadFolders(tmp_path)
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "data").write_bytes(b"x")

    removed = folders.remove_leftovers()

    assert (1, []) == (removed, list(tmp_path.iterdir()))
