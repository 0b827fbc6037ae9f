"""The tokens of the services of the mesh."""

import hmac

from misaki.domain.sessions import credentials_invalid
from misaki.ports import SignedToken, TokenMint


class ServiceLogins:
    """Gives services their tokens."""

    def __init__(self, mint: TokenMint, *, secret: str) -> None:
        """Take the parts.

        Args:
            mint: Makes the tokens.
            secret: What services prove themselves with; empty lets none in.
        """
        self._mint = mint
        self._secret = secret

    def token_for(self, service: str, secret: str) -> SignedToken:
        """Return the token of a service that knows the secret of the mesh.

        Raises:
            Unauthenticated: CREDENTIALS_INVALID.
        """
        fits = hmac.compare_digest(secret.encode(), self._secret.encode())
        if not fits or not self._secret:
            raise credentials_invalid("this is not the secret of the mesh")
        return self._mint.access_for_service(service)
