"""Starts the process: `python -m misaki [--config FILE] [--debug]`."""

from mesh.server import run
from misaki.app import build
from misaki.settings import MisakiSettings

if __name__ == "__main__":
    run(MisakiSettings.from_command_line(), build)
