"""What can go wrong while a local mesh is run, in words for a person.

These errors end a command; they are not errors of a call to the mesh.
"""

from collections.abc import Sequence
from pathlib import Path

__all__ = [
    "AlreadyStarting",
    "GatewayElsewhere",
    "HalfStopped",
    "HomeUnusable",
    "KeyNotReplaced",
    "LocalMeshError",
    "NotRunning",
    "PortOccupied",
    "ServiceFailed",
    "SpeaksOtherwise",
    "UnknownComponent",
]


class LocalMeshError(Exception):
    """A local mesh cannot do what was asked.

    `sentence` says what happened and `hint` what the person can do about it;
    `hint` is empty when there is nothing to do.
    """

    def __init__(self, sentence: str, *, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint


class AlreadyStarting(LocalMeshError):
    """Another process is starting or stopping the mesh of the same home."""

    def __init__(self, home: Path, pid: int | None) -> None:
        holder = f" (process {pid})" if pid is not None else ""
        super().__init__(
            f"Another command{holder} is starting or stopping the mesh in {home} right now.",
            hint="Wait until it has ended, or use another home: HANAMI_HOME=DIRECTORY.",
        )
        self.pid = pid


class HalfStopped(LocalMeshError):
    """A person broke off the stopping."""

    def __init__(self) -> None:
        super().__init__("The mesh is half stopped.", hint="Stop the rest: hanami down.")


class GatewayElsewhere(LocalMeshError):
    """The gateway runs at another address than the one asked for."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"The mesh runs at {url} already.",
            hint="To move it: hanami down, then hanami up with the new address.",
        )
        self.url = url


class SpeaksOtherwise(LocalMeshError):
    """What runs speaks with or without certificates, and the other way was asked for."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            problem, hint="All parts have to start anew: hanami down, then hanami up again."
        )


class KeyNotReplaced(LocalMeshError):
    """Something still needs the old key."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(f"The key was not replaced: {problem}", hint=hint)


class PortOccupied(LocalMeshError):
    """The gateway's port belongs to another program."""

    def __init__(self, host: str, port: int, holder: str | None) -> None:
        by = f" by {holder}" if holder is not None else " by another program"
        super().__init__(
            f"Port {port} on {host} is in use{by}.",
            hint="Choose another port: hanami up --port PORT.",
        )
        self.host = host
        self.port = port
        self.holder = holder


class ServiceFailed(LocalMeshError):
    """A component ended, or did not become healthy in time.

    `exit_code` is None while the process still lives, or when nobody knows it;
    `log_tail` holds the last lines of its log, oldest first.
    """

    def __init__(
        self,
        component: str,
        *,
        has_ended: bool,
        exit_code: int | None,
        waited_seconds: float,
        log_path: Path,
        log_tail: Sequence[str],
    ) -> None:
        if not has_ended:
            what = f"did not become healthy within {waited_seconds:.0f} s"
        elif exit_code is None:
            what = "has ended"
        else:
            what = f"ended with exit code {exit_code}"
        shown = "".join(f"\n    {line}" for line in log_tail)
        story = f" Its last log lines:{shown}" if log_tail else " Its log is empty."
        super().__init__(f"{component} {what}.{story}", hint=f"The whole log: {log_path}")
        self.component = component
        self.exit_code = exit_code
        self.log_path = log_path
        self.log_tail = tuple(log_tail)


class NotRunning(LocalMeshError):
    """There is no mesh to act upon."""

    def __init__(self, home: Path) -> None:
        super().__init__(f"No mesh runs in {home}.", hint="Start one: hanami up.")


class UnknownComponent(LocalMeshError):
    """No component has this name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no component {name!r}.", hint=f"There are: {', '.join(known)}.")


class HomeUnusable(LocalMeshError):
    """The home folder cannot be used as it is."""

    def __init__(self, home: Path, problem: str) -> None:
        super().__init__(
            f"The home {home} cannot be used: {problem}.",
            hint="Choose another one: HANAMI_HOME=DIRECTORY.",
        )
