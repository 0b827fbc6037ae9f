"""Parts of misaki's domain, put together without database and slow hashes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from mesh.tokens import PublicKey, TokenVerifier
from misaki.crypto.keys import SigningKey, new_key
from misaki.crypto.tokens import JwtMint
from misaki.domain.revocations import Revoker
from misaki.domain.throttle import Throttle
from misaki.ports import NewId
from tests import factories
from tests.contract.misaki.in_memory import InMemoryDirectory
from tests.contract.misaki.in_memory_logins import InMemoryAttemptStore

ACCESS_LIFETIME = timedelta(minutes=15)


class PlainPasswords:
    """Passwords that are their own hashes, and a record of what was compared."""

    def __init__(self) -> None:
        self.compared: list[tuple[str, str | None]] = []

    async def hash(self, password: str) -> str:
        """Return a text that names the password."""
        return f"hash of {password}"

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Compare, and remember it."""
        self.compared.append((password, password_hash))
        return password_hash == f"hash of {password}"

    def is_outdated(self, password_hash: str) -> bool:
        """Find no hash too old."""
        return False

    def weakness(self, password: str, known: Sequence[str]) -> str:
        """Find weak what anybody would try first."""
        return "is easy to guess" if password in {"password", *known} else ""


class SettableClock:
    """A clock that stands still until it is set."""

    def __init__(self, now: datetime = factories.NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@pytest.fixture
def directory() -> InMemoryDirectory:
    """Return an empty directory."""
    return InMemoryDirectory()


@pytest.fixture
def revoker(directory: InMemoryDirectory, clock: SettableClock) -> Revoker:
    """Return what records in the directory."""
    return Revoker(directory.access, clock=clock, longest_token=ACCESS_LIFETIME)


@pytest.fixture
def passwords() -> PlainPasswords:
    """Return quick passwords."""
    return PlainPasswords()


@pytest.fixture
def clock() -> SettableClock:
    """Return a clock at noon."""
    return SettableClock()


@pytest.fixture
def new_id() -> NewId:
    """Return a maker of ids: id-1, id-2 and so on."""
    numbers = count(1)
    return lambda: f"id-{next(numbers)}"


@pytest.fixture
def attempts() -> InMemoryAttemptStore:
    """Return counts of wrong passwords, none yet."""
    return InMemoryAttemptStore()


@pytest.fixture
def throttle(attempts: InMemoryAttemptStore, clock: SettableClock) -> Throttle:
    """Return the throttle, with keys that can be read."""
    return Throttle(attempts, str, clock=clock)


@pytest.fixture
def key() -> SigningKey:
    """Return a fresh signing key."""
    return new_key()


@pytest.fixture
def verifier(key: SigningKey) -> TokenVerifier:
    """Return what verifies tokens signed with the key."""
    return verifier_of(key)


@pytest.fixture
def mint(key: SigningKey, verifier: TokenVerifier, clock: SettableClock, new_id: NewId) -> JwtMint:
    """Return a mint with the key, whose clock begins at the real time."""
    clock.now = datetime.now(UTC)
    return mint_of(key, verifier, clock=clock, new_id=new_id)


def verifier_of(key: SigningKey, *, audience: str = "hanami") -> TokenVerifier:
    """Return what verifies tokens signed with a key."""

    async def keys() -> list[PublicKey]:
        return [key.public]

    return TokenVerifier(keys, issuer="hanami", audience=audience)


def mint_of(
    key: SigningKey,
    verifier: TokenVerifier,
    *,
    clock: SettableClock,
    new_id: NewId,
    audience: str = "hanami",
    issuer: str = "hanami",
) -> JwtMint:
    """Return a mint with a key."""
    return JwtMint(
        lambda: key,
        verifier,
        issuer=issuer,
        audience=audience,
        access_lifetime=ACCESS_LIFETIME,
        clock=clock,
        new_id=new_id,
    )
