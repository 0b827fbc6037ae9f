"""The tokens that misaki signs."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.access import Role
from mesh.errors import Unauthenticated
from mesh.tokens import TokenVerifier
from misaki.crypto.keys import SigningKey, new_key
from misaki.crypto.tokens import JwtMint
from misaki.ports import Renewal
from tests import factories
from tests.unit.misaki.conftest import SettableClock, mint_of, verifier_of

ROLES = {"garden": Role.MEMBER}


async def _problem(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token)
    assert "TOKEN_INVALID" == caught.value.reason
    return caught.value.metadata["problem"]


def _access(mint: JwtMint) -> str:
    """Return an access token of somebody without roles."""
    signed = mint.access_for_user(
        factories.user(), {}, admin=False, session_id="s1", issue_time=datetime.now(UTC)
    )
    return signed.token


def test_claims_and_header_of_an_access_token(
    mint: JwtMint, key: SigningKey, clock: SettableClock
) -> None:
    """Header and claims are those that other services rely on."""
    signed = mint.access_for_user(
        factories.user("alice"), ROLES, admin=True, session_id="s1", issue_time=clock.now
    )

    claims = jwt.decode(signed.token, options={"verify_signature": False})
    issued_at = clock.now.timestamp()
    end = int(issued_at) + 15 * 60
    assert {"alg": "EdDSA", "typ": "JWT", "kid": key.public.key_id} == (
        jwt.get_unverified_header(signed.token)
    )
    assert {
        "iss": "hanami",
        "aud": "hanami",
        "sub": "users/alice",
        "jti": "id-1",
        "iat": issued_at,
        "exp": end,
        "typ": "access",
        "adm": True,
        "roles": {"garden": "MEMBER"},
        "sid": "s1",
        "since": 1_767_355_200_000_000,
    } == claims
    assert end == signed.expire_time.timestamp()


def test_every_token_has_an_id_of_its_own(mint: JwtMint) -> None:
    """Two tokens made in the same second differ."""
    first, second = (mint.access_for_service("kyouko") for _ in range(2))

    assert first.token != second.token


async def test_expired_token(mint: JwtMint, verifier: TokenVerifier, clock: SettableClock) -> None:
    """A token whose time has passed says expired."""
    clock.now = datetime.now(UTC) - timedelta(minutes=15, seconds=10)

    assert "expired" == await _problem(verifier, _access(mint))


async def test_foreign_key(verifier: TokenVerifier, clock: SettableClock) -> None:
    """A token of another installation is signed by an unknown key."""
    clock.now = datetime.now(UTC)
    other = new_key()
    mint = mint_of(other, verifier_of(other), clock=clock, new_id=lambda: "x")

    problem = await _problem(verifier, _access(mint))

    assert "signed by an unknown key" == problem


async def test_foreign_key_under_our_id(
    verifier: TokenVerifier, key: SigningKey, clock: SettableClock
) -> None:
    """Claiming our key's id does not help somebody who lacks the key."""
    clock.now = datetime.now(UTC)
    forged = SigningKey(new_key().private, key.public)
    mint = mint_of(forged, verifier, clock=clock, new_id=lambda: "x")

    problem = await _problem(verifier, _access(mint))

    assert "not valid here" == problem


@pytest.mark.parametrize("wrong", ["audience", "issuer"])
async def test_token_for_somebody_else(
    verifier: TokenVerifier, key: SigningKey, clock: SettableClock, wrong: str
) -> None:
    """A token for another audience, or of another issuer, is not valid here."""
    clock.now = datetime.now(UTC)
    mint = mint_of(key, verifier, clock=clock, new_id=lambda: "x", **{wrong: "elsewhere"})

    problem = await _problem(verifier, _access(mint))

    assert "not valid here" == problem


async def test_refresh_token_is_no_access_token(mint: JwtMint, verifier: TokenVerifier) -> None:
    """A refresh token opens nothing."""
    session = replace(factories.session(), expire_time=datetime.now(UTC) + timedelta(hours=1))
    token = mint.refresh_for(session).token

    assert "not of the type access" == await _problem(verifier, token)


async def test_refresh_token_says_which_of_its_session_it_is(
    mint: JwtMint, clock: SettableClock
) -> None:
    """What is read from a refresh token is what it was made of, and its end is the session's."""
    session = replace(
        factories.session("s7"), generation=3, expire_time=clock.now + timedelta(hours=1)
    )

    signed = mint.refresh_for(session)

    assert Renewal("alice", "s7", 3) == await mint.read_refresh(signed.token)
    assert int(session.expire_time.timestamp()) == signed.expire_time.timestamp()


@given(
    changes=st.dictionaries(
        st.sampled_from(["sub", "sid", "gen", "typ", "aud", "iss", "exp", "jti"]),
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.integers())),
        min_size=1,
    )
)
async def test_refresh_tokens_with_other_claims_never_break_it(changes: dict[str, object]) -> None:
    """Whatever a signed token claims, it is read as a renewal or refused as TOKEN_INVALID."""
    key = new_key()
    mint = mint_of(key, verifier_of(key), clock=SettableClock(), new_id=lambda: "x")
    now = int(datetime.now(UTC).timestamp())
    claims: dict[str, object] = {
        "iss": "hanami",
        "aud": "hanami",
        "sub": "users/alice",
        "jti": "x",
        "typ": "refresh",
        "iat": now,
        "exp": now + 60,
        "sid": "s1",
        "gen": 1,
    }
    token = _signed(claims | changes, key)

    reasons: list[str] = []
    renewals: list[Renewal] = []
    try:
        renewals.append(await mint.read_refresh(token))
    except Unauthenticated as error:
        reasons.append(error.reason)

    assert ["TOKEN_INVALID"] * (1 - len(renewals)) == reasons
    assert all(type(r.session_id) is str and type(r.generation) is int for r in renewals)


def _signed(claims: dict[str, object], key: SigningKey) -> str:
    """Sign whatever it is; PyJWT refuses some of it."""
    body = json.dumps(claims).encode()
    return jwt.PyJWS().encode(
        body, key.private, algorithm="EdDSA", headers={"kid": key.public.key_id}
    )


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "Bearer x", "\x00", "é.é.é"])
async def test_malformed_token(verifier: TokenVerifier, token: str) -> None:
    """What is no JWT at all is malformed."""
    assert "malformed" == await _problem(verifier, token)


async def test_unsigned_token(verifier: TokenVerifier, key: SigningKey) -> None:
    """A token with `alg: none` under our key's id is refused."""
    claims = {"sub": "users/root", "adm": True, "iss": "hanami", "aud": "hanami", "typ": "access"}
    claims |= {"iat": 0, "exp": 2**40, "jti": "x"}
    token = jwt.encode(claims, "", algorithm="none", headers={"kid": key.public.key_id})

    assert "not valid here" == await _problem(verifier, token)


async def test_token_signed_with_the_public_key_as_a_secret(
    verifier: TokenVerifier, key: SigningKey
) -> None:
    """A symmetric signature made with what everybody knows is refused."""
    claims = {"sub": "users/root", "adm": True, "iss": "hanami", "aud": "hanami", "typ": "access"}
    claims |= {"iat": 0, "exp": 2**40, "jti": "x"}
    token = jwt.encode(claims, key.public.x, algorithm="HS256", headers={"kid": key.public.key_id})

    assert "not valid here" == await _problem(verifier, token)
