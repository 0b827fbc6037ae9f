"""Predictions on their way to the archive, as CSV files in a folder of our own."""

import asyncio
import csv
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any


class CsvPredictionFile:
    """A CSV file that grows."""

    def __init__(self, path: Path, stream: IO[str], header: Sequence[str]) -> None:
        self.path = path
        self._stream = stream
        self._writer = csv.writer(stream, lineterminator="\n")
        self._writer.writerow(header)

    async def append(self, columns: Sequence[Sequence[Any]]) -> None:
        """Add rows; they are in the file when this returns."""
        await asyncio.to_thread(self._append, columns)

    async def discard(self) -> None:
        """Remove the file."""
        self._stream.close()
        self.path.unlink(missing_ok=True)

    def _append(self, columns: Sequence[Sequence[Any]]) -> None:
        self._writer.writerows(zip(*columns, strict=True))
        self._stream.flush()


class CsvPredictionFiles:
    """Makes prediction files in one folder; what a dead process left there is removed."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._folder = folder

    async def create(self, header: Sequence[str]) -> CsvPredictionFile:
        """Begin a CSV file with these columns."""
        path = self._folder / f"{uuid.uuid4().hex}.csv"
        stream = await asyncio.to_thread(path.open, "w", encoding="utf-8", newline="")
        return CsvPredictionFile(path, stream, header)
