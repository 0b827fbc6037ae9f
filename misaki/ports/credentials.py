"""Keeps API keys and clients of projects."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from misaki.domain.model import CredentialKind, ProjectCredential
from misaki.ports.directory import RevocationsOf


class CredentialStore(Protocol):
    """Keeps API keys and clients of projects. Each method is one transaction."""

    async def create_credential(
        self, credential: ProjectCredential, digest: str, *, limit: int
    ) -> None:
        """Store a new credential with the digest of its secret.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: there is no such project.
            AlreadyExists: RESOURCE_EXISTS.
            ResourceExhausted: LIMIT_REACHED: the project has `limit` of the kind.
        """

    async def get_credential(
        self, kind: CredentialKind, project_id: str, credential_id: str
    ) -> ProjectCredential:
        """Return a credential.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """

    async def find_credential(self, kind: CredentialKind, digest: str) -> ProjectCredential | None:
        """Return the credential that a digest belongs to, or None."""

    async def list_credentials(
        self, kind: CredentialKind, project_id: str, *, after: str, limit: int
    ) -> Sequence[ProjectCredential]:
        """Return the credentials of a project in the order of ids, `limit` after an id.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: there is no such project.
        """

    async def delete_credential(
        self, credential: ProjectCredential, *, etag: str, revocations_of: RevocationsOf
    ) -> None:
        """Delete a credential with its tokens.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            Aborted: ETAG_MISMATCH.
        """

    async def note_use(self, credential: ProjectCredential, *, now: datetime) -> None:
        """Note when a credential was used last; one that is gone is left alone."""
