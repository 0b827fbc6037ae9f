"""What no token may do, whatever is changed in it."""

import asyncio
import base64
import json
import string
import time
from typing import Any

import jwt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mesh.access import Principal
from mesh.errors import Unauthenticated
from mesh.tokens import principal_of
from tests.signing import Signer

SIGNER = Signer()
TOKEN = SIGNER.token(roles={"garden": "VIEWER"})
CHARACTERS = string.ascii_letters + string.digits + "-_.=+/ \x00é\n"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
CLAIMS = ("sub", "adm", "roles", "iat", "exp", "jti", "device", "sid", "api_key", "client_id")


def verified(token: str) -> Principal:
    """Return who a token speaks for, to a service that has not seen it before."""
    return asyncio.run(SIGNER.verifier().verify(token))


def part(content: Any) -> str:
    """Return one of the three parts of a token."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@given(place=st.integers(0), characters=st.text(CHARACTERS, max_size=3), cut=st.integers(0, 3))
def test_no_change_of_a_token_makes_it_say_something_else(
    place: int, characters: str, cut: int
) -> None:
    """A changed token is TOKEN_INVALID; base64 can write the same bytes in more than one way."""
    place %= len(TOKEN) + 1
    changed = TOKEN[:place] + characters + TOKEN[place + cut :]
    assume(changed != TOKEN)

    reason = ""
    try:
        said = verified(changed)
    except Unauthenticated as error:
        said, reason = verified(TOKEN), error.reason

    assert verified(TOKEN) == said
    assert reason in ("", "TOKEN_INVALID")


@given(token=st.text() | st.binary().map(lambda data: f"{part(data)}.{part(data)}.{part(data)}"))
def test_nothing_else_is_a_token(token: str) -> None:
    """Whatever text comes, it is refused and breaks nothing."""
    with pytest.raises(Unauthenticated) as caught:
        verified(token)

    assert "TOKEN_INVALID" == caught.value.reason


@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "b64"]), JSON))
def test_no_header_opens_a_door(header: dict[str, Any]) -> None:
    """Neither `none`, nor another algorithm, nor a key that comes along gets a token accepted."""
    _, body, signature = TOKEN.split(".")

    for end in (signature, ""):
        with pytest.raises(Unauthenticated) as caught:
            verified(f"{part(header)}.{body}.{end}")
        assert "TOKEN_INVALID" == caught.value.reason


@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
def test_the_public_key_is_no_secret(algorithm: str) -> None:
    """A token signed with what everybody knows is none."""
    claims = jwt.decode(TOKEN, options={"verify_signature": False})
    key = SIGNER.public.x.ljust(64, "x")

    token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": SIGNER.public.key_id})

    with pytest.raises(Unauthenticated):
        verified(token)


@given(claims=st.dictionaries(st.sampled_from(CLAIMS), JSON))
def test_claims_of_any_form_are_read_or_refused(claims: dict[str, Any]) -> None:
    """Nothing that could be signed leads to another error, or to a device with roles."""
    good = {"sub": "users/alice", "iat": 1, "exp": 2, "jti": "x"}

    reason, is_device = "", claims.get("device") is not None
    try:
        is_device = principal_of(good | claims).scope is not None
    except Unauthenticated as error:
        reason = error.reason

    assert (claims.get("device") is not None) == is_device
    assert reason in ("", "TOKEN_INVALID")


@settings(max_examples=30)
@given(seconds=st.integers(6, 10**6), claim=st.sampled_from(["exp", "nbf", "iat"]))
def test_time_is_no_matter_of_opinion(seconds: int, claim: str) -> None:
    """A token that has ended, or has not begun, is refused, by however little."""
    moment = int(time.time()) + (-seconds if claim == "exp" else seconds + 1)

    with pytest.raises(Unauthenticated):
        verified(SIGNER.token(**{claim: moment}))
