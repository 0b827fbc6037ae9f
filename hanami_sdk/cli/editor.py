"""Lets a person change a text in an editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure


def edited(text: str, *, name: str) -> str:
    """Return a text as the editor of VISUAL or EDITOR, else vi, has left it.

    Raises:
        CommandFailure: there is no such editor, or it failed.
    """
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="hanami-") as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        try:
            # The editor is the user's own, named by the user's own environment.
            ended = subprocess.run([*command, str(path)], check=False)
        except (FileNotFoundError, PermissionError) as error:
            raise CommandFailure(
                f"There is no editor {command[0]}.",
                hint="Name one: EDITOR=nano",
                exit_code=EXIT_USAGE,
            ) from error
        if ended.returncode != 0:
            raise CommandFailure(f"The editor {command[0]} failed; nothing was changed.")
        return path.read_text(encoding="utf-8")
