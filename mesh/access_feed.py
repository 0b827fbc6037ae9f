"""Keeps what decides about access here as misaki has it.

One stream from misaki, opened again whenever it breaks. While misaki is away the last
state counts: nobody is let in whom the policy or a revocation has shut out before.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

import grpc
import structlog
from hanami.misaki.v1 import access_service_pb2 as pb
from hanami.misaki.v1 import access_service_pb2_grpc

from mesh.access_messages import change_of
from mesh.clients import ServiceTokens, call_metadata, translated_errors, unavailable
from mesh.errors import DomainError, Unauthenticated
from mesh.health import Dependency
from mesh.settings import MeshSettings
from mesh.tokens import TokenVerifier

_log = structlog.get_logger(__name__)
_FIRST_SECONDS = 5.0
_LEAST_PAUSE_SECONDS = 0.1
_MOST_PAUSE_SECONDS = 2.0
# A service that starts waits so long for what counts, before it takes calls without.
_PATIENCE_SECONDS = 2.0


class AccessFeed:
    """Follows misaki's AccessService for one verifier."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        tokens: ServiceTokens,
        verifier: TokenVerifier,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Take the parts.

        Args:
            channel: To misaki.
            tokens: This service's own tokens.
            verifier: Whose access state is kept.
            now: Seconds since 1970.
        """
        self._stub = access_service_pb2_grpc.AccessServiceStub(channel)
        self._tokens = tokens
        self._verifier = verifier
        self._now = now
        self._is_current = False
        self._tried = asyncio.Event()

    @property
    def dependency(self) -> Dependency:
        """What health tells of this; calls are served without it too."""
        return Dependency("access", self.check, required=False)

    async def check(self) -> None:
        """Raise an error when changes do not come in.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """
        if not self._is_current:
            raise unavailable("misaki")

    async def first(self) -> None:
        """Wait for the first state, not long, and not for a misaki that does not answer."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._tried.wait()
        except TimeoutError:
            _log.warning("access state not known yet: the contracts' rules count")

    async def run(self) -> None:
        """Follow until cancelled."""
        pause = _LEAST_PAUSE_SECONDS
        while True:
            try:
                await self._follow()
            except Exception as error:  # Whatever it is, following goes on.
                self._log_loss(error)
            if self._is_current:
                pause = _LEAST_PAUSE_SECONDS
            self._is_current = False
            self._tried.set()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MOST_PAUSE_SECONDS)

    def _log_loss(self, error: Exception) -> None:
        if isinstance(error, Unauthenticated):
            self._tokens.forget()
        if not isinstance(error, DomainError):
            _log.error("access changes not followed", error=repr(error), exc_info=error)
        elif self._is_current or not self._tried.is_set():
            _log.warning("access changes do not come in", error=error.message)

    async def _follow(self) -> None:
        async with translated_errors("misaki"):
            metadata = call_metadata(await self._tokens.token())
            call = self._stub.WatchAccess(pb.WatchAccessRequest(), metadata=metadata)
            messages = aiter(call)
            try:
                async with asyncio.timeout(_FIRST_SECONDS):
                    await self._take(await anext(messages))
                async for message in messages:
                    await self._take(message)
            except (TimeoutError, StopAsyncIteration) as error:
                raise unavailable("misaki") from error
            finally:
                call.cancel()
        raise unavailable("misaki")  # It has ended the stream, because it stops.

    async def _take(self, message: pb.WatchAccessResponse) -> None:
        change = change_of(message)
        state = self._verifier.access
        state.revocations.forget_expired(datetime.fromtimestamp(self._now(), UTC))
        state.apply(change)
        if not self._is_current:
            _log.info("access changes come in", policy=state.policy.version)
        self._is_current = True
        self._tried.set()
        if change.key_ids is not None:
            await self._verifier.keys_are(change.key_ids)


def feed_of(
    settings: MeshSettings, channel: grpc.aio.Channel, verifier: TokenVerifier
) -> AccessFeed | None:
    """Return the feed of a service; None without the secret that it needs for a token."""
    if settings.service_secret_file is None:
        _log.warning(
            "changes of the policy and revocations stay unknown: "
            "HANAMI_SERVICE_SECRET_FILE is not set"
        )
        return None
    tokens = ServiceTokens(
        channel, service=settings.service_name, secret_file=settings.service_secret_file
    )
    return AccessFeed(channel, tokens, verifier)
