"""What is known of the call being served: its caller, carried by context variables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from mesh import redaction
from mesh.access import Caller
from mesh.access_state import AccessState
from mesh.errors import Unauthenticated

_caller: ContextVar[Caller | None] = ContextVar("hanami_caller", default=None)
_token: ContextVar[str] = ContextVar("hanami_token", default="")
_access: ContextVar[AccessState | None] = ContextVar("hanami_access", default=None)
_note: ContextVar[CallNote | None] = ContextVar("hanami_note", default=None)


def _nothing() -> None:
    return None


@dataclass
class CallNote:
    """What becomes known of a call while it is served, for the logs.

    Attributes:
        method: The path on the wire.
        request: What was asked; None when the client streams.
        answer: What was answered, of a unary call that ended well.
        resource: What it is about, where the request does not tell.
        row_count: Rows of a stream that came in, or went out.
        code: How it ended, a gRPC status code; None before its end.
        reason: Why it failed.
        warnings: What the caller should know though the call ended well.
        incident: The id that the caller of a mistake of ours got.
        work: What goes on though the caller has left.
        on_open: Called when a stream has begun.
    """

    method: str = ""
    request: Message | None = field(default=None, repr=False)
    answer: Any = field(default=None, repr=False)
    resource: str = ""
    row_count: int = 0
    code: int | None = None
    reason: str = ""
    warnings: list[str] = field(default_factory=list)
    incident: str = ""
    work: asyncio.Task[Any] | None = None
    on_open: Callable[[], None] = _nothing

    def opened(self, resource: str) -> None:
        """Tell that the stream has begun, and what it is about."""
        self.resource = resource
        self.on_open()


def current_note() -> CallNote:
    """Return the note of the call being served; one that nobody reads outside of calls."""
    return _note.get() or CallNote()


def set_note(note: CallNote) -> None:
    """Set the note for the rest of this task."""
    _note.set(note)


def secrets() -> frozenset[str]:
    """Return what of the call being served must not be written anywhere."""
    note, token = current_note(), _token.get()
    found = frozenset() if note.request is None else redaction.secrets_in(note.request)
    return found | {token} if token else found


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
