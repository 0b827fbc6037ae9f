"""Starts the process: `python -m kyouko [--config FILE] [--debug]`."""

from kyouko.app import build
from kyouko.settings import KyoukoSettings
from mesh.server import run

if __name__ == "__main__":
    run(KyoukoSettings.from_command_line(), build)
