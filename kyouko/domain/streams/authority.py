"""Who talks on a stream, and until when: a stream outlives its first token."""

from collections.abc import Awaitable, Callable
from typing import Final

from kyouko.domain.networks.network import NetworkEntry
from kyouko.ports import VerifyToken
from mesh.access import AccessRule, Action, Caller, Principal, Role
from mesh.errors import Unauthenticated

# Returns the network for a caller, or raises what `SeenNetworks.check` raises.
FindNetwork = Callable[[Caller, Action], Awaitable[NetworkEntry]]
_LEARNERS: Final = frozenset({Role.ADMIN, Role.PROJECT_ADMIN, Role.MEMBER, Role.DEVICE})


class Authority:
    """The right to use one network, renewed by fresh tokens of the same user."""

    def __init__(
        self, caller: Caller, verify: VerifyToken, find: FindNetwork, *, is_learning: bool
    ) -> None:
        """Take the parts; `network` checks the caller's right."""
        self._verify = verify
        self._find = find
        self._deleted_projects = caller.deleted_projects
        self._opened_by = caller.rule
        self._rule = _learning_rule(caller.rule) if is_learning else caller.rule
        self._action = Action.LEARN if is_learning else Action.PREDICT
        self.principal = caller.principal

    @property
    def caller(self) -> Caller:
        """Who talks now, by the rule that opened the stream."""
        return Caller(self.principal, self._opened_by, self._deleted_projects)

    async def network(self) -> NetworkEntry:
        """Return the network, if who talks may use it now.

        Raises:
            NotFound: They may not know of it, or a device's key is of another one.
            PermissionDenied: ROLE_INSUFFICIENT; SCOPE_INSUFFICIENT: a device's key does
                not cover what the stream is for.
        """
        return await self._network_for(self.principal)

    async def renew(self, token: str) -> None:
        """Go on with a fresh token.

        Raises:
            Unauthenticated: TOKEN_INVALID: it is no good, or speaks for somebody else;
                TOKEN_REVOKED.
            NotFound: The user may not know of the network any more.
            PermissionDenied: ROLE_INSUFFICIENT, SCOPE_INSUFFICIENT.
        """
        principal = await self._verify(token)
        if not principal.is_same_as(self.principal):
            who = principal.name
            later = "a later one of the name" if who == self.principal.name else who
            raise _token_invalid(f"of {later}, but the stream is {self.principal.name}'s")
        await self._network_for(principal)
        self.principal = principal

    async def _network_for(self, principal: Principal) -> NetworkEntry:
        caller = Caller(principal, self._rule, self._deleted_projects)
        return await self._find(caller, self._action)

    def seconds_left(self, now: float) -> float:
        """Return how long the token is still good; `now` in seconds since 1970."""
        return self.principal.expires_at - now

    def check(self, now: float) -> None:
        """Refuse to go on with a token that has ended.

        Raises:
            Unauthenticated: TOKEN_INVALID.
        """
        if now >= self.principal.expires_at:
            raise _token_invalid("expired")


def _learning_rule(opened_by: AccessRule) -> AccessRule:
    method = f"{opened_by.method} (LEARN_MODE_LEARN)"
    return AccessRule(method=method, roles=opened_by.roles & _LEARNERS)


def _token_invalid(problem: str) -> Unauthenticated:
    return Unauthenticated(
        f"the access token is {problem}; send a fresh one as `authentication` in time",
        reason="TOKEN_INVALID",
        metadata={"problem": problem},
    )
