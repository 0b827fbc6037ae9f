"""Which tokens have been taken back before their end.

A revocation names a subject and a moment: tokens about that subject made before that
moment are good no more. Subjects are what `Principal.revocable_as` names:

* `users/{user}`, or whatever else the token's `sub` is,
* `sessions/{sid}`, `apiKeys/{api_key}` and `clients/{client_id}`, by the claims in braces,
* `tokens/{jti}`, a single token.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from mesh.access import Principal
from mesh.errors import Unauthenticated


@dataclass(frozen=True)
class Revocation:
    """Ends the tokens about a subject.

    Attributes:
        subject: Whose tokens; see the module.
        issued_before: Tokens made before this moment are refused.
        expire_time: From here on no such token can be in use, and this may be forgotten.
    """

    subject: str
    issued_before: datetime
    expire_time: datetime


class RevocationList:
    """The revocations that this process knows of."""

    def __init__(self, revocations: Iterable[Revocation] = ()) -> None:
        self._by_subject: dict[str, Revocation] = {}
        self.add(revocations)

    def __len__(self) -> int:
        """Return how many subjects there are."""
        return len(self._by_subject)

    def replace(self, revocations: Iterable[Revocation]) -> None:
        """Take these instead of those known."""
        self._by_subject = {}
        self.add(revocations)

    def add(self, revocations: Iterable[Revocation]) -> None:
        """Take in further revocations; of one subject the one that reaches furthest counts."""
        for new in revocations:
            known = self._by_subject.get(new.subject)
            if known is None or known.issued_before < new.issued_before:
                self._by_subject[new.subject] = new

    def forget_expired(self, now: datetime) -> None:
        """Drop what no token in use can match any more."""
        self._by_subject = {
            subject: revocation
            for subject, revocation in self._by_subject.items()
            if revocation.expire_time > now
        }

    def check(self, principal: Principal) -> None:
        """Refuse a principal whose token has been taken back.

        Raises:
            Unauthenticated: TOKEN_REVOKED.
        """
        for subject in principal.revocable_as:
            revocation = self._by_subject.get(subject)
            if revocation and principal.issued_at < revocation.issued_before.timestamp():
                raise token_revoked(subject)


def token_revoked(subject: str) -> Unauthenticated:
    """Return the error of a token that has been taken back."""
    return Unauthenticated(
        f"the token was taken back, as all of {subject}; log in again",
        reason="TOKEN_REVOKED",
        metadata={"subject": subject},
    )
