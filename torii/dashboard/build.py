"""Builds the start page into `torii/static`, with the Node that comes as a Python package.

python torii/dashboard/build.py           builds
python torii/dashboard/build.py --check   fails when torii/static is not what a build gives
"""

import argparse
import filecmp
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).resolve().parent
STATIC = PAGE.parent / "static"
# Says which lock file the installed packages belong to.
STAMP = PAGE / "node_modules" / ".installed-lock"


def main() -> int:
    """Build or check; returns the exit code."""
    parser = argparse.ArgumentParser(description="Builds the start page.")
    parser.add_argument("--check", action="store_true", help="only compare with torii/static")
    arguments = parser.parse_args()
    install_packages()
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "static"
        run_npm("run", "--silent", "build", "--", "--logLevel", "warn", "--outDir", str(built))
        if arguments.check:
            return report(differences(built, STATIC))
        shutil.rmtree(STATIC, ignore_errors=True)
        shutil.copytree(built, STATIC)
    return 0


def install_packages() -> None:
    """Install what the lock file names, unless that has been done."""
    wanted = hashlib.sha256((PAGE / "package-lock.json").read_bytes()).hexdigest()
    if STAMP.is_file() and STAMP.read_text(encoding="utf-8") == wanted:
        return
    run_npm("ci", "--silent")
    STAMP.write_text(wanted, encoding="utf-8")


def differences(built: Path, kept: Path) -> list[str]:
    """Return the names of files that differ between two folders, or are in one only."""
    names = {
        path.relative_to(folder).as_posix()
        for folder in (built, kept)
        for path in folder.rglob("*")
        if path.is_file()
    }
    _, changed, missing = filecmp.cmpfiles(built, kept, sorted(names), shallow=False)
    return sorted(changed + missing)


def report(stale: list[str]) -> int:
    """Tell which files are stale; returns the exit code."""
    if not stale:
        return 0
    print("torii/static is not what the sources give; run python torii/dashboard/build.py")
    print("\n".join(f"  {name}" for name in stale))
    return 1


def run_npm(*arguments: str) -> None:
    """Run npm in the page's folder; its failure ends the build."""
    tools = Path(sys.executable).parent
    path = os.pathsep.join([str(tools), os.environ.get("PATH", os.defpath)])
    npm = str(tools / "npm")
    done = subprocess.run(
        [npm, *arguments], cwd=PAGE, check=False, env={**os.environ, "PATH": path}
    )
    if done.returncode:
        raise SystemExit(f"npm {arguments[0]} failed")


if __name__ == "__main__":
    sys.exit(main())
