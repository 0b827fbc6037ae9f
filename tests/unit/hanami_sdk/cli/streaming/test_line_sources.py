"""Lines with places: growing, rotated and cut files, and pipes that begin anew."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.cli.streaming.line_sources import FileLines, PipeLines, check_followable
from hanami_sdk.cli.streaming.places import Place


def lines_of(path: Path, place: Place | None = None, *, follow: bool = False) -> FileLines:
    """Return a source without anybody to tell."""
    return FileLines(path, place, follow=follow, stop=threading.Event(), tell=lambda text: None)


def take(lines: Iterator[bytes], count: int) -> list[bytes]:
    """Return the next lines."""
    return [next(lines) for _ in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file of three lines, the last without its end."""
    found = tmp_path / "rows"
    found.write_bytes(b"one\ntwo\nthree")
    return found


def test_a_file_is_gone_on_with_behind_a_place(path: Path) -> None:
    """The place knows the bytes and the line; a last line needs no end."""
    first = lines_of(path)
    reading = iter(first)
    take(reading, 2)

    rest = lines_of(path, first.place)

    assert [b"three"] == list(rest)
    assert (13, 3) == (rest.place.offset, rest.place.line)


def test_a_changed_file_does_not_fit(path: Path) -> None:
    """The line before the place is compared, not only the length."""
    first = lines_of(path)
    take(iter(first), 2)
    path.write_bytes(b"one\nTWO\nthree\n")

    with pytest.raises(CommandFailure, match="not the file of before"):
        list(lines_of(path, first.place))


def test_half_a_line_is_waited_for(path: Path) -> None:
    """A followed file hands out a line when it is whole."""
    reading = iter(lines_of(path, follow=True))
    take(reading, 2)
    threading.Timer(0.15, lambda: append(path, b" and more\n")).start()

    line = next(reading)

    assert b"three and more\n" == line


def append(path: Path, data: bytes) -> None:
    """Write behind the end."""
    with path.open("ab") as file:
        file.write(data)


def test_a_rotated_file_is_read_to_its_end_first(path: Path) -> None:
    """Then comes the new file of the name."""
    reading = iter(lines_of(path, follow=True))
    take(reading, 2)
    path.rename(path.with_name("rows.1"))
    path.write_bytes(b"four\n")

    rest = take(reading, 2)

    assert [b"three", b"four\n"] == rest


def test_a_file_that_was_cut_off_is_read_from_its_start(path: Path) -> None:
    """As the copying kind of log rotation does it."""
    path.write_bytes(b"one\ntwo\nthree\n")
    source = lines_of(path, follow=True)
    reading = iter(source)
    take(reading, 3)
    threading.Timer(0.15, lambda: path.write_bytes(b"new\n")).start()

    line = next(reading)

    assert (b"new\n", 1) == (line, source.place.line)


def test_a_file_that_was_rotated_meanwhile_is_found_again(path: Path) -> None:
    """The old file is known by its inode, whatever it is called now."""
    first = lines_of(path, follow=True)
    take(iter(first), 2)
    path.rename(path.with_name("rows.1"))
    path.write_bytes(b"four\n")

    rest = take(iter(lines_of(path, first.place, follow=True)), 2)

    assert [b"three", b"four\n"] == rest


def test_a_pipe_begins_anew_with_the_same_lines() -> None:
    """What was read before is left out."""
    first = PipeLines(io.BytesIO(b"one\ntwo\nthree\n"), None)
    take(iter(first), 2)

    rest = list(PipeLines(io.BytesIO(b"one\ntwo\nthree\n"), first.place))

    assert [b"three\n"] == rest


def test_another_pipe_is_refused() -> None:
    """Lines that end elsewhere are not those of before."""
    first = PipeLines(io.BytesIO(b"one\ntwo\nthree\n"), None)
    take(iter(first), 2)

    with pytest.raises(CommandFailure, match="not the input of before"):
        list(PipeLines(io.BytesIO(b"something\nelse\n"), first.place))


def test_stdin_is_not_followed() -> None:
    """It has no end to go on at."""
    with pytest.raises(CommandFailure, match="needs a FILE"):
        check_followable("-", follow=True)
