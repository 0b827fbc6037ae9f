"""Lets a repeated mutating call have one effect and one answer."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.message import Message

from mesh import calls
from mesh.idempotency import IdempotencyStore, RequestKey
from mesh.interceptors.chain import Call


class Idempotency:
    """Wraps unary calls whose request carries a `request_id`.

    Has to run to its end (see `mesh.interceptors.completion`): who is cut off cannot
    tell whether the call had its effect, and so may not free its id.
    """

    def __init__(self, store: IdempotencyStore, *, fingerprint_key: bytes) -> None:
        """Take the parts.

        Args:
            store: Where answers are kept.
            fingerprint_key: Without it nobody can tell from a stored fingerprint what
                a request held, such as a password.
        """
        self._store = store
        self._fingerprint_key = fingerprint_key

    async def __call__(
        self,
        call: Call,
        proceed: Callable[[], Awaitable[Any]],
        parse: Callable[[bytes], Any],
    ) -> Any:
        """Answer from the store, or proceed and store the answer."""
        request_id = getattr(call.request, "request_id", "")
        if not request_id or call.request is None:
            return await proceed()
        who = calls.current_caller().principal
        # A later user of the same name has made no call before.
        principal = f"{who.name}/{who.since:x}" if who.since else who.name
        key = RequestKey(principal, call.method, request_id)
        stored = await self._store.begin(key, self._fingerprint(call.request))
        if stored is not None:
            return parse(stored)
        try:
            answer = await proceed()
        except Exception:
            await self._store.abandon(key)
            raise
        await self._store.complete(key, answer.SerializeToString())
        return answer

    def _fingerprint(self, request: Message) -> str:
        content = request.SerializeToString(deterministic=True)
        return hmac.new(self._fingerprint_key, content, hashlib.sha256).hexdigest()
