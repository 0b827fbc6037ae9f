"""Starts torii: `python -m torii [--config FILE] [--debug]`."""

from mesh.server import run
from torii.app import build
from torii.settings import ToriiSettings

if __name__ == "__main__":
    run(ToriiSettings.from_command_line(), build)
