"""Temporary folders for uploads, below one folder that nobody else uses."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO


class FolderUpload:
    """The files of one upload. See `shiori.ports.StagedUpload`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, BinaryIO] = {}

    def append(self, role: str, data: bytes) -> None:
        """Write more bytes of a file."""
        if role not in self._open:
            self._open[role] = (self._folder / role).open("wb")
        self._open[role].write(data)

    def close(self) -> None:
        """Close the files."""
        for file in self._open.values():
            file.close()

    def files(self) -> Mapping[str, Path]:
        """Return where each file lies, by its role."""
        return {role: self._folder / role for role in self._open}

    def table(self) -> Path:
        """Return where the converted table is to be written."""
        return self._folder / "table.parquet"


class UploadFolders:
    """Makes and removes folders for uploads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[FolderUpload]:
        """Make a folder for one upload; it is gone afterwards, whatever happens."""
        folder = self._root / uuid.uuid4().hex
        folder.mkdir()
        upload = FolderUpload(folder)
        try:
            yield upload
        finally:
            try:
                upload.close()
            finally:
                # Gigabytes take a while to remove.
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder))

    def free_bytes(self) -> int:
        """Return the free space on the disk."""
        return shutil.disk_usage(self._root).free

    def remove_leftovers(self) -> int:
        """Remove the folders of uploads that a killed process was receiving.

        Returns:
            The number of folders removed.
        """
        leftovers = list(self._root.iterdir())
        for folder in leftovers:
            shutil.rmtree(folder)
        return len(leftovers)
