"""Starts the process: `python -m shiori [--config FILE] [--debug]`."""

from mesh.server import run
from shiori.app import build
from shiori.settings import ShioriSettings

if __name__ == "__main__":
    run(ShioriSettings.from_command_line(), build)
