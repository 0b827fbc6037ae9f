"""The end of a websocket in words."""

import pytest

from torii.web.closing import shortened


@pytest.mark.parametrize("reason", ["", "short", "x" * 123, "ü" * 61])
def test_a_reason_that_fits_is_left_alone(reason: str) -> None:
    """Up to 123 bytes go into a close frame."""
    assert shortened(reason) == reason


@pytest.mark.parametrize("reason", ["x" * 124, "ü" * 62, "桜" * 100, "a" + "🌸" * 50])
def test_a_longer_reason_ends_in_dots(reason: str) -> None:
    """A cut never exceeds the limit and never splits a character."""
    short = shortened(reason)

    assert len(short.encode()) <= 123
    assert short.endswith("...")
    assert reason.startswith(short.removesuffix("..."))
