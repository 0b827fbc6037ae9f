"""Brings snapshots and journals under the key in use: `python -m kyouko.rewrap [--config FILE]`.

Snapshots also beside a running kyouko, the files of journals only while it is stopped; journals
in NATS are not looked at.
"""

import asyncio
import sys

from kyouko.settings import KyoukoSettings
from kyouko.storage.journal import journal_folder
from kyouko.storage.journal.rewriting import rewrite
from mesh.encryption.keys import Encryption
from mesh.encryption.rotation import report, require_keys, rewrap_all


def main() -> int:
    """Do it; returns the exit code."""
    settings = KyoukoSettings.from_command_line()
    ring = require_keys(settings)
    done = asyncio.run(rewrap_all(settings.blob_store()))
    folder = journal_folder(settings.journal_url, settings.data_directory / "journal")
    if folder is not None:
        changed, problems = rewrite(folder, Encryption(ring))
        print(f"kyouko: {changed} files of journals brought under the key in use")
        done.problems += problems
    elif len(ring.ids) > 1:
        done.problems.append(
            "journals in NATS are not looked at: they may need the other keys until every "
            "network has had two snapshots"
        )
    return report("kyouko", done)


if __name__ == "__main__":
    sys.exit(main())
