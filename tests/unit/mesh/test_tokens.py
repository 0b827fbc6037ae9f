"""How services get and keep the keys that verify tokens."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from mesh.errors import Unauthenticated, Unavailable
from mesh.tokens import PublicKey, TokenVerifier, principal_of
from tests.signing import Signer


class Source:
    """Keys as misaki would give them out, counted, and sometimes not at all."""

    def __init__(self, *signers: Signer) -> None:
        self.signers = list(signers)
        self.asked = 0
        self.available = True

    async def __call__(self) -> Sequence[PublicKey]:
        """Return the keys of now."""
        self.asked += 1
        await asyncio.sleep(0)
        if not self.available:
            raise Unavailable("misaki is away", reason="DEPENDENCY_UNAVAILABLE")
        return [signer.public for signer in self.signers]


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


def _from_now(claims: Mapping[str, int]) -> dict[str, Any]:
    now = int(time.time())
    return {claim: now + seconds for claim, seconds in claims.items()}


def _verifier(source: Source, clock: Clock) -> TokenVerifier:
    return TokenVerifier(source, issuer="hanami", audience="hanami", clock=clock)


async def test_keys_are_asked_for_once(clock: Clock) -> None:
    """Many calls at once, and later ones, share one question."""
    signer = Signer("a")
    source = Source(signer)
    verifier = _verifier(source, clock)

    principals = await asyncio.gather(*(verifier.verify(signer.token()) for _ in range(20)))
    await verifier.verify(signer.token())

    assert {"users/alice"} == {principal.name for principal in principals}
    assert 1 == source.asked


async def test_new_key_is_found(clock: Clock) -> None:
    """A token under an id not seen before makes us ask again."""
    old, new = Signer("old"), Signer("new")
    source = Source(old)
    verifier = _verifier(source, clock)
    await verifier.verify(old.token())
    source.signers.insert(0, new)
    clock.now += 6

    await verifier.verify(new.token())
    await verifier.verify(old.token())

    assert 2 == source.asked


async def test_withdrawn_key_ends(clock: Clock) -> None:
    """A key that misaki no longer publishes verifies nothing after the next renewal."""
    old, new = Signer("old"), Signer("new")
    source = Source(old)
    verifier = _verifier(source, clock)
    await verifier.verify(old.token())
    source.signers = [new]
    clock.now += 301

    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(old.token())

    assert {"problem": "signed by an unknown key"} == caught.value.metadata


async def test_unknown_keys_do_not_flood_misaki(clock: Clock) -> None:
    """Tokens under made-up ids ask misaki once in five seconds, not once each."""
    signer, stranger = Signer("a"), Signer("stranger")
    source = Source(signer)
    verifier = _verifier(source, clock)
    await verifier.verify(signer.token())
    clock.now += 6

    for _ in range(10):
        with pytest.raises(Unauthenticated):
            await verifier.verify(stranger.token())

    assert 2 == source.asked


async def test_known_key_outlives_misaki(clock: Clock) -> None:
    """While misaki is away, tokens under a known key stay good, and we ask now and then."""
    signer = Signer("a")
    source = Source(signer)
    verifier = _verifier(source, clock)
    await verifier.verify(signer.token())
    source.available = False
    clock.now += 301

    names = [(await verifier.verify(signer.token())).name for _ in range(5)]
    asked_at_once = source.asked
    clock.now += 6
    await verifier.verify(signer.token())

    assert ["users/alice"] * 5 == names
    assert (2, 3) == (asked_at_once, source.asked)


async def test_without_keys_nobody_is_known(clock: Clock) -> None:
    """Before the first keys a call is UNAVAILABLE, not refused: trying again helps."""
    signer = Signer("a")
    source = Source(signer)
    source.available = False
    verifier = _verifier(source, clock)

    with pytest.raises(Unavailable):
        await verifier.verify(signer.token())
    source.available = True

    assert "users/alice" == (await verifier.verify(signer.token())).name


@pytest.mark.parametrize(
    "claims", [{"exp": -3}, {"iat": 3, "nbf": 3}, {"nbf": 3}], ids=["ended", "made", "begins"]
)
async def test_clocks_may_differ_a_little(clock: Clock, claims: dict[str, int]) -> None:
    """A token that ended, was made or begins within a few seconds of now is good."""
    signer = Signer()
    token = signer.token(**_from_now(claims))

    principal = await _verifier(Source(signer), clock).verify(token)

    assert "users/alice" == principal.name


@pytest.mark.parametrize("claims", [{"exp": -30}, {"iat": 30}, {"nbf": 30}])
async def test_clocks_may_not_differ_much(clock: Clock, claims: dict[str, int]) -> None:
    """Half a minute is no difference of clocks."""
    signer = Signer()
    token = signer.token(**_from_now(claims))

    with pytest.raises(Unauthenticated):
        await _verifier(Source(signer), clock).verify(token)


@pytest.mark.parametrize("missing", ["sub", "exp", "jti"])
def test_claims_without_what_we_need_are_malformed(missing: str) -> None:
    """A token that lacks a claim of ours is TOKEN_INVALID."""
    claims = {"sub": "users/alice", "exp": 1, "jti": "x"}
    del claims[missing]

    with pytest.raises(Unauthenticated):
        principal_of(claims)


@pytest.mark.parametrize("roles", [{"garden": "KING"}, ["garden"], "garden", 7])
def test_roles_of_another_form_are_malformed(roles: object) -> None:
    """Roles that are none grant nothing."""
    with pytest.raises(Unauthenticated):
        principal_of({"sub": "users/alice", "exp": 1, "jti": "x", "roles": roles})
