"""Who talks on a stream, and until when: a stream outlives its first token."""

from typing import Final

from kyouko.ports import VerifyToken
from mesh.access import AccessRule, Caller, Role
from mesh.errors import Unauthenticated

_LEARNERS: Final = frozenset({Role.ADMIN, Role.PROJECT_ADMIN, Role.MEMBER})


class Authority:
    """The right to use one project's networks, renewed by fresh tokens of the same user."""

    def __init__(
        self, caller: Caller, verify: VerifyToken, *, project_id: str, is_learning: bool
    ) -> None:
        """Check the caller's right.

        Raises:
            NotFound: The caller has no role in the project.
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        self._verify = verify
        self._project_id = project_id
        self._rule = (
            AccessRule(method=f"{caller.rule.method} (LEARN_MODE_LEARN)", roles=_LEARNERS)
            if is_learning
            else caller.rule
        )
        self.principal = caller.principal
        Caller(self.principal, self._rule).authorize_project(project_id)

    async def renew(self, token: str) -> None:
        """Go on with a fresh token.

        Raises:
            Unauthenticated: TOKEN_INVALID: it is no good, or speaks for somebody else.
            NotFound: The user has lost the role in the project.
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        principal = await self._verify(token)
        if principal.name != self.principal.name:
            raise _token_invalid(f"of {principal.name}, but the stream is {self.principal.name}'s")
        Caller(principal, self._rule).authorize_project(self._project_id)
        self.principal = principal

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


def _token_invalid(problem: str) -> Unauthenticated:
    return Unauthenticated(
        f"the access token is {problem}; send a fresh one as `authentication` in time",
        reason="TOKEN_INVALID",
        metadata={"problem": problem},
    )
