"""Errors of a local mesh speak to people."""

from pathlib import Path

import pytest

from hanami_sdk.local.errors import AlreadyStarting, PortOccupied, ServiceFailed


@pytest.mark.parametrize(
    ("has_ended", "exit_code", "words"),
    [
        (True, 3, "kyouko ended with exit code 3"),
        (True, None, "kyouko has ended"),
        (False, None, "kyouko did not become healthy within 90 s"),
    ],
)
def test_failed_service_tells_what_happened(
    has_ended: bool, exit_code: int | None, words: str
) -> None:
    """The sentence names the service, its end and its last words; the hint names the log."""
    error = ServiceFailed(
        "kyouko",
        has_ended=has_ended,
        exit_code=exit_code,
        waited_seconds=90.2,
        log_path=Path("/logs/kyouko.log"),
        log_tail=["no space left"],
    )

    assert error.sentence.startswith(words)
    assert "no space left" in error.sentence
    assert "/logs/kyouko.log" in error.hint


def test_occupied_port_names_holder_and_option() -> None:
    """The port, its holder and the way out are named."""
    error = PortOccupied("127.0.0.1", 1337, "nginx (process 7)")

    assert "Port 1337 on 127.0.0.1 is in use by nginx (process 7)." == error.sentence
    assert "--port" in error.hint


def test_second_start_names_the_first() -> None:
    """Who holds the lock is named when known."""
    assert "process 7" in AlreadyStarting(Path("/h"), 7).sentence
    assert "process" not in AlreadyStarting(Path("/h"), None).sentence
