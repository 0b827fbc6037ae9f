"""What may open a websocket."""

import pytest

from mesh.errors import InvalidArgument, NotFound
from torii.domain.handshake import Handshake


def test_a_plain_opening_is_fine() -> None:
    """Neither token nor sub-protocol is needed in the opening request."""
    handshake = Handshake("/v1/learn")

    handshake.check()

    assert handshake.token() is None


def test_the_token_is_found_among_the_subprotocols() -> None:
    """The order of the sub-protocols does not matter."""
    handshake = Handshake("/v1/learn", ["bearer.a.b.c", "hanami.v1"])

    handshake.check()

    assert handshake.token() == "a.b.c"


@pytest.mark.parametrize(
    ("authorization", "token"),
    [("Bearer a.b.c", "a.b.c"), ("bearer  x ", "x"), ("Basic abc", None), ("", None)],
)
def test_the_authorization_header_may_carry_the_token(
    authorization: str, token: str | None
) -> None:
    """Only the scheme Bearer counts, in any case."""
    assert Handshake("/v1/learn", authorization=authorization).token() == token


def test_a_subprotocol_goes_before_the_header() -> None:
    """What the client chose for the websocket wins."""
    handshake = Handshake("/v1/learn", ["hanami.v1", "bearer.one"], authorization="Bearer two")

    assert handshake.token() == "one"


@pytest.mark.parametrize("target", ["/v1/learn?token=x", "/v1/learn?", "/v1/learn?a=b"])
def test_a_query_is_refused(target: str) -> None:
    """Nothing in the URL may tempt anybody to put a token there."""
    with pytest.raises(InvalidArgument) as caught:
        Handshake(target).check()

    assert [violation.field for violation in caught.value.violations] == ["query"]


@pytest.mark.parametrize("target", ["/", "/v1/learn/", "/v1/learning", "//v1/learn", "*"])
def test_other_paths_are_not_found(target: str) -> None:
    """The path has to be the exact one."""
    with pytest.raises(NotFound):
        Handshake(target).check()


def test_a_refusal_does_not_repeat_the_token() -> None:
    """An error about sub-protocols names the others only."""
    with pytest.raises(InvalidArgument) as caught:
        Handshake("/v1/learn", ["bearer.secret", "mqtt"]).check()

    assert caught.value.metadata == {"expected": "hanami.v1", "actual": "mqtt"}
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("origin", "host", "is_allowed"),
    [
        ("", "mesh.example", True),
        ("https://mesh.example", "mesh.example", True),
        ("http://127.0.0.1:1337", "127.0.0.1:1337", True),
        ("https://MESH.example", "mesh.example", True),
        ("https://lab.example", "mesh.example", True),
        ("https://mesh.example:444", "mesh.example", False),
        ("https://mesh.example.evil.example", "mesh.example", False),
        ("https://evil.example/mesh.example", "mesh.example", False),
        ("https://mesh.example@evil.example", "mesh.example", False),
        ("file://mesh.example", "mesh.example", False),
        ("null", "mesh.example", False),
        ("null", "", False),
    ],
)
def test_pages_connect_to_where_they_come_from(origin: str, host: str, is_allowed: bool) -> None:
    """Same host or an origin on the list; programs have no origin."""
    handshake = Handshake("/v1/learn", origin=origin, host=host)

    assert handshake.comes_from(["https://lab.example"]) == is_allowed
