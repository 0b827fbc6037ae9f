"""Credentials of projects in a dictionary; obey the same suite as SQL."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from mesh.errors import AlreadyExists, NotFound, stale_etag
from misaki.domain.model import CredentialKind, Project, ProjectCredential, credential_name
from misaki.domain.project_credentials import too_many_credentials
from misaki.ports import AccessStore, RevocationsOf

Key = tuple[CredentialKind, str, str]


class InMemoryCredentialStore:
    """Keeps credentials of projects in a dictionary."""

    def __init__(
        self, access: AccessStore, *, get_project: Callable[[str], Awaitable[Project]]
    ) -> None:
        self._access = access
        self._get_project = get_project
        self._credentials: dict[Key, ProjectCredential] = {}
        self._digests: dict[str, Key] = {}

    async def create_credential(
        self, credential: ProjectCredential, digest: str, *, limit: int
    ) -> None:
        """Store a new credential."""
        await self._get_project(credential.project_id)
        key = _key(credential)
        if key in self._credentials:
            raise AlreadyExists(credential.name)
        if sum(k[:2] == key[:2] for k in self._credentials) >= limit:
            raise too_many_credentials(credential.project_id, credential.kind, limit)
        self._credentials[key] = credential
        self._digests[digest] = key

    async def get_credential(
        self, kind: CredentialKind, project_id: str, credential_id: str
    ) -> ProjectCredential:
        """Return a credential."""
        key = (kind, project_id, credential_id)
        if key not in self._credentials:
            raise NotFound(credential_name(*key))
        return self._credentials[key]

    async def find_credential(self, kind: CredentialKind, digest: str) -> ProjectCredential | None:
        """Return the credential that a digest belongs to, or None."""
        key = self._digests.get(digest)
        return self._credentials.get(key) if key is not None and key[0] == kind else None

    async def list_credentials(
        self, kind: CredentialKind, project_id: str, *, after: str, limit: int
    ) -> Sequence[ProjectCredential]:
        """Return the credentials of a project."""
        await self._get_project(project_id)
        keys = [k for k in sorted(self._credentials) if k[:2] == (kind, project_id)]
        return [self._credentials[key] for key in keys if key[2] > after][:limit]

    async def delete_credential(
        self, credential: ProjectCredential, *, etag: str, revocations_of: RevocationsOf
    ) -> None:
        """Delete a credential."""
        stored = self._credentials.get(_key(credential))
        if stored is None or stored.uid != credential.uid:
            raise NotFound(credential.name)
        if etag and stored.etag != etag:
            raise stale_etag(credential.name, etag)
        await self._access.record_revocations(revocations_of([credential.subject]))
        self._forget([_key(credential)])

    async def note_use(self, credential: ProjectCredential, *, now: datetime) -> None:
        """Note when a credential was used last."""
        key = _key(credential)
        if key in self._credentials:
            self._credentials[key] = replace(self._credentials[key], last_use_time=now)

    def drop_project(self, project_id: str) -> list[str]:
        """Delete the credentials of a project; returns what revocations name them by."""
        gone = [c for key, c in self._credentials.items() if key[1] == project_id]
        self._forget([_key(credential) for credential in gone])
        return [credential.subject for credential in gone]

    def _forget(self, keys: Sequence[Key]) -> None:
        self._credentials = {k: c for k, c in self._credentials.items() if k not in keys}
        self._digests = {d: k for d, k in self._digests.items() if k not in keys}


def _key(credential: ProjectCredential) -> Key:
    return (credential.kind, credential.project_id, credential.credential_id)
