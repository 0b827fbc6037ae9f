"""What is said about a file that is not what it claims to be."""

from pathlib import Path

from mesh.errors import InvalidArgument, ResourceExhausted

_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd"}


class ConversionStopped(Exception):
    """Nobody waits for the conversion any more."""


def malformed(file: str, problem: str, **where: object) -> InvalidArgument:
    """Return the error of a malformed file.

    Args:
        file: Its role in the upload.
        problem: What is wrong, in words that fit after "cannot be read".
        where: Line, column and the like; also found in the sentence.
    """
    place = ", ".join(f"{key} {value}" for key, value in where.items())
    return InvalidArgument(
        f"{file} cannot be read: {place + ': ' if place else ''}{problem}",
        reason="FILE_MALFORMED",
        metadata={"file": file, **{key: str(value) for key, value in where.items()}},
    )


def too_large(problem: str, *, limit: int, actual: int) -> ResourceExhausted:
    """Return the error of a file that goes beyond a limit."""
    return ResourceExhausted(
        problem, reason="LIMIT_REACHED", metadata={"limit": str(limit), "actual": str(actual)}
    )


def refuse_packed(file: str, path: Path) -> None:
    """Refuse a file that is compressed, with a hint how to go on.

    Raises:
        InvalidArgument: FILE_MALFORMED.
    """
    with path.open("rb") as source:
        start = source.read(4)
    for magic, name in _PACKED.items():
        if start.startswith(magic):
            raise malformed(file, f"it is compressed with {name}; unpack it first")
