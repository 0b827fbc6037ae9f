"""What is known of the call being served: its caller, carried by context variables."""

from contextvars import ContextVar

from mesh.access import Caller
from mesh.access_state import AccessState
from mesh.errors import Unauthenticated

_caller: ContextVar[Caller | None] = ContextVar("hanami_caller", default=None)
_token: ContextVar[str] = ContextVar("hanami_token", default="")
_access: ContextVar[AccessState | None] = ContextVar("hanami_access", default=None)


def known_caller() -> Caller | None:
    """Return who makes the call being served; None when the method is public."""
    return _caller.get()


def current_caller() -> Caller:
    """Return who makes the call being served.

    Raises:
        Unauthenticated: TOKEN_INVALID: the method is public and no token came.
    """
    caller = _caller.get()
    if caller is None:
        raise Unauthenticated(
            "this call needs a token", reason="TOKEN_INVALID", metadata={"problem": "missing"}
        )
    return caller


def current_token() -> str:
    """Return the caller's access token, for calls made on the caller's behalf."""
    return _token.get()


def current_access() -> AccessState | None:
    """Return what decides whether the caller of the call being served may go on."""
    return _access.get()


def set_caller(caller: Caller, token: str, access: AccessState | None = None) -> None:
    """Set the caller for the rest of this task, with what let the caller in."""
    _caller.set(caller)
    _token.set(token)
    _access.set(access)
