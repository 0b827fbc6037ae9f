"""The tokens of the services of the mesh."""

import pytest

from mesh.access import Role
from mesh.errors import Unauthenticated
from mesh.tokens import TokenVerifier
from misaki.crypto.tokens import JwtMint
from misaki.domain.services import ServiceLogins


async def test_service_with_the_secret_gets_a_token(mint: JwtMint, verifier: TokenVerifier) -> None:
    """The secret of the mesh makes a service a service."""
    token = ServiceLogins(mint, secret="the secret").token_for("kyouko", "the secret")

    principal = await verifier.verify(token.token)
    assert "services/kyouko" == principal.name
    assert frozenset({Role.SERVICE}) == principal.all_roles()


@pytest.mark.parametrize("secret", ["", "the secre", "the secret ", "THE SECRET", "ü"])
def test_service_with_another_secret_is_refused(mint: JwtMint, secret: str) -> None:
    """Anything but the exact secret is refused."""
    with pytest.raises(Unauthenticated) as caught:
        ServiceLogins(mint, secret="the secret").token_for("kyouko", secret)

    assert "CREDENTIALS_INVALID" == caught.value.reason


def test_without_a_secret_no_service_gets_a_token(mint: JwtMint) -> None:
    """A mesh without a secret trusts no service, and an empty one least of all."""
    with pytest.raises(Unauthenticated):
        ServiceLogins(mint, secret="").token_for("kyouko", "")
