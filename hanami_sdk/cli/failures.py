"""Errors as people meet them: one sentence, a hint, an exit code; no stack trace."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from hanami_sdk.cli.quota_warnings import quota_warnings_shown

if TYPE_CHECKING:
    from hanami_sdk.errors import HanamiError

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_DEBUG_VARIABLE = "HANAMI_DEBUG"


class CommandFailure(Exception):
    """A command cannot do what was asked.

    Attributes:
        message: what is wrong, a sentence for a person.
        hint: what to do about it; empty when nothing helps.
        exit_code: 1 for a failure, 2 when the command was called wrongly.
    """

    def __init__(self, message: str, *, hint: str = "", exit_code: int = EXIT_FAILURE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class FriendlyGroup(TyperGroup):
    """The root command: runs subcommands and words what they raise."""

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand; every expected failure becomes words and an exit code."""
        wants_trace = ctx.params.get("debug") or os.environ.get(_DEBUG_VARIABLE)
        try:
            with quota_warnings_shown():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read our output has seen enough, as `head` does.
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  lives until exit
            raise typer.Exit(EXIT_FAILURE) from None
        except Exception as error:
            failure = _explain(error)
            if failure is None or wants_trace:
                raise
            _show(failure)
            raise typer.Exit(failure.exit_code) from None


def _show(failure: CommandFailure) -> None:
    print(f"Error: {failure.message}", file=sys.stderr)
    if failure.hint:
        print(f"Hint: {failure.hint}", file=sys.stderr)


def _explain(error: Exception) -> CommandFailure | None:
    """Return what to tell about an error; `None` when it is typer's own business."""
    from hanami_sdk.errors import HanamiError
    from hanami_sdk.local.errors import LocalMeshError, UnknownComponent

    if isinstance(error, CommandFailure):
        return error
    if isinstance(error, HanamiError):
        return _explain_answer(error)
    if isinstance(error, LocalMeshError):
        code = EXIT_USAGE if isinstance(error, UnknownComponent) else EXIT_FAILURE
        return CommandFailure(error.sentence, hint=error.hint, exit_code=code)
    if isinstance(error, (FileNotFoundError, IsADirectoryError, NotADirectoryError)):
        return CommandFailure(f"{error.filename}: {error.strerror}", exit_code=EXIT_USAGE)
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return CommandFailure(f"{name}{error.strerror or error}")
    if isinstance(error, UnicodeDecodeError):
        return CommandFailure("The file is not text in UTF-8.")
    if type(error).__module__.startswith("typer"):
        return None
    return CommandFailure(
        f"This should not have happened: {type(error).__name__}: {error}",
        hint=f"Run it again with {_DEBUG_VARIABLE}=1 to see where it came from.",
    )


def _explain_answer(error: HanamiError) -> CommandFailure:
    from hanami_sdk.cli.wording import sentence
    from hanami_sdk.surroundings import DEFAULT_URL, local_state

    if error.message == f"Nothing answers at {DEFAULT_URL}." and local_state() is None:
        return CommandFailure(
            f"No mesh runs here: nothing answers at {DEFAULT_URL}.",
            hint="Start one: hanami up; or name another one: --url URL",
        )
    code = EXIT_USAGE if error.reason == "PROJECT_MISSING" else EXIT_FAILURE
    return CommandFailure(sentence(error), hint=_hint(error), exit_code=code)


def _hint(error: HanamiError) -> str:
    hints = {
        "TOKEN_INVALID": "Log in: hanami login",
        "CREDENTIALS_INVALID": "Check the user and the password.",
        "LOGIN_THROTTLED": "Wait a moment, and check the password before you try again.",
        "ETAG_MISMATCH": "Somebody else has changed it meanwhile: look again, then repeat.",
        "QUOTA_EXCEEDED": "See what is used up: hanami quota usage",
        "SCOPE_INSUFFICIENT": "An API key does only what it was made for: hanami key get KEY",
        "ROLE_INSUFFICIENT": "Ask an administrator of the project for the role.",
        "PROJECT_MISSING": "Use --project NAME, or set HANAMI_PROJECT.",
        "RESOURCE_EXISTS": "Choose another name, or delete the old one first.",
        "TEMPLATE_INVALID": "Templates that work: hanami template list",
        "WIDTH_MISMATCH": "The rows need as many inputs as the network has channels.",
        "SHUTTING_DOWN": "Try again in a moment.",
        "DEPENDENCY_UNAVAILABLE": "See how the mesh is: hanami status",
    }
    if error.reason == "ROLE_INSUFFICIENT" and error.metadata.get("roles") == "nobody":
        return "Devices learn and predict, and nothing else. Log in as a user: hanami login USER"
    if error.reason in hints:
        return hints[error.reason]
    if error.code == "UNAUTHENTICATED":
        return "Log in: hanami login"
    if any(violation.field == "channels" for violation in error.violations):
        return "Say it: --channels NUMBER; or as a data set has it: --for-dataset NAME"
    if error.code == "UNIMPLEMENTED":
        return "The mesh may be of another version: hanami --version"
    if error.code == "UNAVAILABLE" and "not trusted" in error.message:
        return "Name the authority that signed it: HANAMI_CA_FILE=FILE.pem"
    if error.code == "UNAVAILABLE":
        return "Start the mesh: hanami up; or name another one: --url"
    return ""
