"""A real OpenID Connect provider for tests, built with Authlib: it insists on PKCE and a nonce.

Whoever comes to its authorisation page is logged in as `account`, without a form.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT_ID = "hanami"
CLIENT_SECRET = "secret-of-hanami-at-the-provider"


@dataclass
class Account:
    """Somebody at the provider; the claims go into the ID token."""

    subject: str
    claims: dict[str, Any] = field(default_factory=dict)

    def get_user_id(self) -> str:
        """Return what Authlib asks for."""
        return self.subject


class _Client(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return ""

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri.startswith("http://127.0.0.1:")

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_post"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class _Code(AuthorizationCodeMixin):  # type: ignore[misc]  # Authlib has no types
    account: Account
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> None:
        return None

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class OidcServer:
    """The provider; change `account`, `key` or `claims` and see what happens."""

    def __init__(self) -> None:
        self.account = Account("subject-1", {"preferred_username": "alice", "name": "Alice"})
        self.key = RSAKey.generate_key(2048, {"kid": "key-1", "use": "sig", "alg": "RS256"})
        # Claims of ID tokens that differ from what is right.
        self.claims: dict[str, Any] = {}
        self.issuer = ""
        self._codes: dict[str, _Code] = {}
        self._client = _Client()

    def rotate(self, key_id: str) -> None:
        """Sign with another key from now on."""
        self.key = RSAKey.generate_key(2048, {"kid": key_id, "use": "sig", "alg": "RS256"})

    def app(self) -> flask.Flask:
        """Return the web application."""
        app = flask.Flask("oidc")
        server = AuthorizationServer(
            app,
            query_client=lambda client_id: self._client if client_id == CLIENT_ID else None,
            save_token=lambda token, request: None,
        )
        server.register_grant(self._code_grant(), [self._id_tokens(), CodeChallenge(required=True)])

        @app.get("/.well-known/openid-configuration")
        def configuration() -> Any:
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }

        @app.get("/keys")
        def keys() -> Any:
            return {"keys": [self.key.as_dict(private=False)]}

        @app.get("/authorize")
        def authorize() -> Any:
            if "code_challenge" not in flask.request.args:
                # Authlib asks public clients only, whatever it is told.
                return "PKCE is needed here", 400
            grant = server.get_consent_grant(end_user=self.account)
            return server.create_authorization_response(grant_user=self.account, grant=grant)

        @app.post("/token")
        def token() -> Any:
            return server.create_token_response()

        return app

    def _code_grant(self) -> type:
        provider = self

        class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]  # no types
            TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)

            def save_authorization_code(self, code: str, request: Any) -> None:
                data = request.payload.data
                provider._codes[code] = _Code(
                    provider.account,
                    request.payload.redirect_uri,
                    request.payload.scope,
                    data.get("nonce", ""),
                    data.get("code_challenge", ""),
                    data.get("code_challenge_method", ""),
                )

            def query_authorization_code(self, code: str, client: Any) -> _Code | None:
                return provider._codes.get(code)

            def delete_authorization_code(self, authorization_code: _Code) -> None:
                codes = provider._codes
                provider._codes = {k: c for k, c in codes.items() if c is not authorization_code}

            def authenticate_user(self, authorization_code: _Code) -> Account:
                return authorization_code.account

        return CodeGrant

    def _id_tokens(self) -> OpenIDCode:
        provider = self

        class IdTokens(OpenIDCode):  # type: ignore[misc]  # no types
            def exists_nonce(self, nonce: str, request: Any) -> bool:
                return False

            def get_client_algorithm(self, client: Any) -> str:
                return "RS256"

            def get_encode_header(self, client: Any) -> dict[str, str]:
                return {"alg": "RS256", "kid": str(provider.key.kid)}

            def resolve_client_private_key(self, client: Any) -> RSAKey:
                return provider.key

            def get_client_claims(self, client: Any) -> dict[str, Any]:
                return {"iss": provider.issuer}

            def generate_user_info(self, user: Account, scope: str) -> dict[str, Any]:
                return {"sub": user.subject, **user.claims, **provider.claims}

        return IdTokens(require_nonce=True)


@contextmanager
def running_oidc() -> Iterator[OidcServer]:
    """Run a provider on a free loopback port."""
    provider = OidcServer()
    web = make_server("127.0.0.1", 0, provider.app(), threaded=True)
    provider.issuer = f"http://127.0.0.1:{web.server_port}"
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        web.shutdown()
        thread.join()
        web.server_close()
