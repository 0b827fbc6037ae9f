"""Turning credentials into tokens."""

import pytest

from mesh.access import Role
from mesh.errors import Unauthenticated
from mesh.tokens import TokenVerifier
from misaki.crypto.tokens import JwtMint
from misaki.domain.revocations import Revoker
from misaki.domain.sessions import Sessions
from tests import factories
from tests.contract.misaki.in_memory import InMemoryDirectory
from tests.unit.misaki.conftest import PlainPasswords


@pytest.fixture
async def sessions(
    directory: InMemoryDirectory, passwords: PlainPasswords, mint: JwtMint, revoker: Revoker
) -> Sessions:
    """Return the rules over a directory with Alice, who views the garden."""
    await directory.create_user(factories.user("alice"), "hash of open sesame")
    await directory.create_project(factories.project("garden"))
    await directory.create_member(factories.member("garden", "alice", Role.VIEWER), limit=9)
    return Sessions(directory, passwords, mint, revoker, service_secret="the secret")


async def test_login_puts_roles_into_the_token(sessions: Sessions, verifier: TokenVerifier) -> None:
    """The access token says who, and which role where."""
    pair = await sessions.log_in("alice", "open sesame")

    principal = await verifier.verify(pair.access.token)
    assert "users/alice" == principal.name
    assert {"garden": Role.VIEWER} == principal.project_roles
    assert not principal.admin


async def test_admins_token_says_so(
    sessions: Sessions, directory: InMemoryDirectory, verifier: TokenVerifier
) -> None:
    """The token of an admin makes its bearer an admin."""
    await directory.create_user(factories.user("root", admin=True), "hash of open sesame")

    pair = await sessions.log_in("root", "open sesame")

    assert (await verifier.verify(pair.access.token)).admin


async def test_unknown_user_and_wrong_password_look_the_same(
    sessions: Sessions, passwords: PlainPasswords
) -> None:
    """Both errors are equal, and both cost one comparison of passwords."""
    errors: list[Unauthenticated] = []
    for user_id in ("alice", "nobody", "not an id\x00"):
        with pytest.raises(Unauthenticated) as caught:
            await sessions.log_in(user_id, "wrong")
        errors.append(caught.value)

    message = "user and password do not fit together"
    expected: tuple[str, str, dict[str, str]] = ("CREDENTIALS_INVALID", message, {})
    assert [expected] * 3 == [(e.reason, e.message, e.metadata) for e in errors]
    compared = [("wrong", "hash of open sesame"), ("wrong", None), ("wrong", None)]
    assert compared == passwords.compared


async def test_renewal_reads_roles_again(
    sessions: Sessions, directory: InMemoryDirectory, verifier: TokenVerifier
) -> None:
    """A renewed token carries the roles of now, not those of the login."""
    pair = await sessions.log_in("alice", "open sesame")
    await directory.delete_member("garden", "alice")

    renewed = await sessions.renew(pair.refresh.token)

    assert {} == (await verifier.verify(renewed.access.token)).project_roles


async def test_renewal_is_refused_to_a_deleted_user(
    sessions: Sessions, directory: InMemoryDirectory
) -> None:
    """The refresh token of a deleted user is worth nothing."""
    pair = await sessions.log_in("alice", "open sesame")
    await directory.delete_user("alice", etag="")

    with pytest.raises(Unauthenticated) as caught:
        await sessions.renew(pair.refresh.token)

    assert "TOKEN_INVALID" == caught.value.reason


async def test_renewal_is_refused_to_a_namesake(
    sessions: Sessions, directory: InMemoryDirectory, mint: JwtMint
) -> None:
    """A refresh token of an earlier user of the same id does not log the new one in."""
    earlier = factories.user("bob")
    await directory.create_user(earlier, "hash")
    later = mint.refresh_for_user(earlier)
    await directory.delete_user("bob", etag="")
    await directory.create_user(type(earlier)(**(earlier.__dict__ | {"uid": "another"})), "hash")

    with pytest.raises(Unauthenticated):
        await sessions.renew(later.token)


async def test_access_token_renews_nothing(sessions: Sessions) -> None:
    """An access token is no refresh token."""
    pair = await sessions.log_in("alice", "open sesame")

    with pytest.raises(Unauthenticated) as caught:
        await sessions.renew(pair.access.token)

    assert {"problem": "not of the type refresh"} == caught.value.metadata


async def test_service_with_the_secret_gets_a_token(
    sessions: Sessions, verifier: TokenVerifier
) -> None:
    """The secret of the mesh makes a service a service."""
    token = sessions.token_for_service("kyouko", "the secret")

    principal = await verifier.verify(token.token)
    assert "services/kyouko" == principal.name
    assert frozenset({Role.SERVICE}) == principal.all_roles()


@pytest.mark.parametrize("secret", ["", "the secre", "the secret ", "THE SECRET", "ü"])
async def test_service_with_another_secret_is_refused(sessions: Sessions, secret: str) -> None:
    """Anything but the exact secret is refused."""
    with pytest.raises(Unauthenticated) as caught:
        sessions.token_for_service("kyouko", secret)

    assert "CREDENTIALS_INVALID" == caught.value.reason


async def test_without_a_secret_no_service_gets_a_token(
    directory: InMemoryDirectory, passwords: PlainPasswords, mint: JwtMint, revoker: Revoker
) -> None:
    """A mesh without a secret trusts no service, and an empty one least of all."""
    sessions = Sessions(directory, passwords, mint, revoker, service_secret="")

    with pytest.raises(Unauthenticated):
        sessions.token_for_service("kyouko", "")
