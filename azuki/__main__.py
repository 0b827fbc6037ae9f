"""Starts azuki: `python -m azuki [--config FILE] [--debug]`."""

from azuki.app import build
from azuki.settings import AzukiSettings
from mesh.server import run

if __name__ == "__main__":
    run(AzukiSettings.from_command_line(), build)
