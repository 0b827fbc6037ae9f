"""Tokens are verified once, and looked up by their revocations every time."""

from datetime import UTC, datetime, timedelta

import pytest

from mesh.access import Principal
from mesh.access_state import AccessChange
from mesh.errors import Unauthenticated
from mesh.revocations import Revocation
from mesh.tokens import PublicKey, TokenVerifier
from mesh.verified_tokens import VerifiedTokens
from tests.signing import AN_HOUR, Signer


class Keys:
    """A source of keys that counts how often it is asked."""

    def __init__(self, *keys: PublicKey) -> None:
        self.keys = keys
        self.asked = 0

    async def __call__(self) -> tuple[PublicKey, ...]:
        """Return the keys."""
        self.asked += 1
        return self.keys


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def verifier_of(keys: Keys, clock: Clock) -> TokenVerifier:
    """Return what verifies by these keys."""
    return TokenVerifier(keys, issuer="hanami", audience="hanami", clock=clock)


def principal(expires_at: float = 100.0) -> Principal:
    """Return somebody whose token ends at a moment."""
    return Principal("users/alice", expires_at=expires_at)


def test_known_until_it_ends() -> None:
    """A token is known up to its last moment, and not one second longer."""
    clock = Clock(0.0)
    tokens = VerifiedTokens(now=clock)
    tokens.add("token", principal(expires_at=100.0))

    clock.now = 99.9
    assert principal() == tokens.find("token")

    clock.now = 100.0
    assert tokens.find("token") is None
    assert 0 == len(tokens)


def test_another_token_is_not_known() -> None:
    """One changed character makes it another token."""
    tokens = VerifiedTokens(now=Clock())
    tokens.add("token", principal())

    assert tokens.find("tokem") is None


def test_the_unused_ones_go_first() -> None:
    """With no room left the one unused for longest is forgotten."""
    tokens = VerifiedTokens(now=Clock(), most=2)
    tokens.add("one", principal())
    tokens.add("two", principal())
    tokens.find("one")

    tokens.add("three", principal())

    assert [True, False, True] == [
        tokens.find(token) is not None for token in ("one", "two", "three")
    ]


async def test_revocation_counts_for_a_known_token() -> None:
    """Remembering a token does not save it from being taken back."""
    signer = Signer()
    verifier = verifier_of(Keys(signer.public), Clock())
    token = signer.token()
    await verifier.verify(token)

    end = datetime.now(UTC) + timedelta(hours=1)
    verifier.access.apply(AccessChange(revocations=[Revocation("users/alice", end, end)]))

    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token)
    assert "TOKEN_REVOKED" == caught.value.reason


async def test_key_taken_away_counts_for_a_known_token() -> None:
    """Known tokens of a key that is no more are refused as soon as that is told."""
    old, new = Signer("old"), Signer("new")
    keys = Keys(old.public, new.public)
    verifier = verifier_of(keys, Clock())
    token = old.token()
    await verifier.verify(token)

    keys.keys = (new.public,)
    await verifier.keys_are(["new"])

    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token)
    assert {"problem": "signed by an unknown key"} == caught.value.metadata


async def test_same_keys_are_not_fetched_again() -> None:
    """To hear of the keys that are known costs nothing."""
    signer = Signer()
    keys = Keys(signer.public)
    verifier = verifier_of(keys, Clock())
    await verifier.verify(signer.token())

    await verifier.keys_are([signer.public.key_id])

    assert 1 == keys.asked


async def test_known_token_does_not_keep_old_keys() -> None:
    """Keys are asked for again in time, also when all tokens are known."""
    signer = Signer()
    keys, clock = Keys(signer.public), Clock()
    verifier = verifier_of(keys, clock)
    token = signer.token()
    await verifier.verify(token)

    clock.now = 301.0
    await verifier.verify(token)

    assert 2 == keys.asked


async def test_tampered_token_is_refused_after_the_good_one() -> None:
    """Knowing a token says nothing of one with another signature or other claims."""
    signer = Signer()
    verifier = verifier_of(Keys(signer.public), Clock())
    token = signer.token()
    await verifier.verify(token)

    head, claims, signature = token.split(".")
    other = signer.token("users/root", adm=True, exp=AN_HOUR * 10**6).split(".")[1]
    for forged in (f"{head}.{other}.{signature}", f"{head}.{claims}.{signature[::-1]}"):
        with pytest.raises(Unauthenticated):
            await verifier.verify(forged)
