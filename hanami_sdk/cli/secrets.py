"""Passwords and secrets: how commands get them, and how they show new ones.

None is ever an argument: what is typed into a command line is kept in histories and seen in
lists of processes.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.output import note, print_fields, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class SecretSource:
    """Where a secret comes from when no file is named.

    Attributes:
        what: in words, `password`.
        option: the option that names a file.
        variable: of the environment.
    """

    what: str
    option: str
    variable: str

    def read(self, file: str | None, *, prompt: str, confirm: bool = False) -> str:
        """Return the secret from a file, the environment or a prompt, in this order.

        Args:
            file: its first line is the secret; `-` is the next line of stdin.
            prompt: what to ask a person.
            confirm: ask twice.

        Raises:
            CommandFailure: there is none, and nobody to ask.
        """
        if file is not None:
            return self._from_file(file)
        if from_environment := os.environ.get(self.variable):
            return from_environment
        if not sys.stdin.isatty():
            raise CommandFailure(
                f"There is no {self.what}, and nobody to ask.",
                hint=f"Give it by {self.option} FILE, or in {self.variable}.",
                exit_code=EXIT_USAGE,
            )
        import typer

        return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True))

    def _from_file(self, file: str) -> str:
        if file == "-":
            line = sys.stdin.readline()
        else:
            line = next(iter(Path(file).read_text(encoding="utf-8").splitlines()), "")
        if secret := line.rstrip("\r\n"):
            return secret
        where = "Stdin" if file == "-" else file
        raise CommandFailure(f"{where} holds no {self.what}.", exit_code=EXIT_USAGE)


PASSWORD = SecretSource("password", "--password-file", "HANAMI_PASSWORD")
NEW_PASSWORD = SecretSource("new password", "--password-file", "HANAMI_NEW_PASSWORD")
OLD_PASSWORD = SecretSource("old password", "--old-password-file", "HANAMI_PASSWORD")
API_KEY = SecretSource("secret of an API key", "--secret-file", "HANAMI_API_KEY")
CLIENT_SECRET = SecretSource("secret of the client", "--secret-file", "HANAMI_CLIENT_SECRET")


def new_secret_file(path: Path | None) -> None:
    """Refuse a place for a secret before the secret is made: it cannot be made again.

    Raises:
        CommandFailure: something is there already, or the folder is not.
    """
    if path is None:
        return
    if path.exists():
        raise CommandFailure(
            f"{path} exists already.", hint="Name another file.", exit_code=EXIT_USAGE
        )
    if not path.parent.is_dir():
        raise CommandFailure(f"There is no folder {path.parent}.", exit_code=EXIT_USAGE)


def print_secret(
    made: dict[str, Any],
    secret: str,
    *,
    as_data: bool,
    rows: Sequence[tuple[str, str]],
    file: Path | None,
    usage: str,
) -> None:
    """Print what was made with its secret, this once; or keep the secret in a file.

    Args:
        made: what was made, as JSON.
        secret: its secret.
        as_data: print JSON.
        rows: what was made, for people.
        file: where to keep the secret instead of showing it.
        usage: how the secret is used, in words.
    """
    from hanami_sdk.private_files import write_private

    if file is not None:
        write_private(file, f"{secret}\n")
        shown = {"secret_file": str(file)}
        note(f"The secret is in {file}, for your eyes only. Nobody can show it again.")
    else:
        shown = {"secret": secret}
        note("This secret is shown ONCE: it is not kept, and nobody can show it again.")
    note(f"Use it: {usage}")
    if as_data:
        print_json(made | shown)
    else:
        print_fields([*rows, *((name.replace("_", " ").title(), v) for name, v in shown.items())])
