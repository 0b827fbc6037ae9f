"""Finds out who calls, and refuses those who may not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mesh import calls
from mesh.access import Caller
from mesh.interceptors.chain import Call, Layer
from mesh.tokens import TokenVerifier, token_invalid

_BEARER = "bearer "


def authentication(verifier: TokenVerifier) -> Layer:
    """Return the layer that verifies the token and applies the method's rule.

    The rule is the one that counts when the call comes. It is applied as far as it can
    be without knowing the resource; the domain applies it again with the project.
    """

    @asynccontextmanager
    async def layer(call: Call) -> AsyncIterator[None]:
        rule = verifier.access.policy.rule_of(call.method)
        if not rule.public:
            token = bearer_token(call.metadata())
            principal = await verifier.verify(token)
            caller = Caller(principal, rule, verifier.access.deleted_projects)
            # First: the audit log tells of those who are refused, too.
            calls.set_caller(caller, token, verifier.access)
            caller.authorize_method()
        yield

    return layer


def bearer_token(metadata: dict[str, str]) -> str:
    """Return the token in call metadata.

    Raises:
        Unauthenticated: TOKEN_INVALID: there is none.
    """
    header = metadata.get("authorization", "")
    if not header.lower().startswith(_BEARER):
        raise token_invalid("missing")
    return header[len(_BEARER) :].strip()
