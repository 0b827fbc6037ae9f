"""Brings all tables under the key in use: `python -m shiori.rewrap [--config FILE]`."""

import asyncio
import sys

from mesh.encryption.rotation import report, require_keys, rewrap_all
from shiori.settings import ShioriSettings


def main() -> int:
    """Do it; returns the exit code."""
    settings = ShioriSettings.from_command_line()
    require_keys(settings)
    return report("shiori", asyncio.run(rewrap_all(settings.blob_store())))


if __name__ == "__main__":
    sys.exit(main())
