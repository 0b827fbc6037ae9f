"""API keys for devices, and secrets for programs: credentials that belong to a project.

Both are shown once, when they are made, and kept as digests. They are not sent with
calls but exchanged for short access tokens, so that other services verify them like all
others, and deleting one ends the tokens that it was exchanged for.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from mesh.access import Action, Caller, Role
from mesh.errors import InvalidArgument, ResourceExhausted
from misaki.domain import rules
from misaki.domain.model import (
    PROJECT_ROLES,
    CredentialKind,
    ProjectCredential,
    project_name,
)
from misaki.domain.revocations import Revoker
from misaki.domain.sessions import credentials_invalid
from misaki.ports import Clock, CredentialStore, Digest, NewId, SignedToken, TokenMint

# A prefix tells people, and programs that look for leaked secrets, what this is.
PREFIXES = {CredentialKind.API_KEY: "hanami-key-", CredentialKind.CLIENT: "hanami-client-"}
MOST_PER_PROJECT = 1000
# The last use is noted, but not with every exchange.
_USE_NOTED_EVERY = timedelta(minutes=1)

NewSecret = Callable[[], str]


class ProjectCredentials:
    """Makes, shows, deletes and exchanges the credentials of projects."""

    def __init__(
        self,
        store: CredentialStore,
        mint: TokenMint,
        revoker: Revoker,
        digest: Digest,
        *,
        clock: Clock,
        new_id: NewId,
        new_secret: NewSecret,
    ) -> None:
        self._store = store
        self._mint = mint
        self._revoker = revoker
        self._digest = digest
        self._clock = clock
        self._new_id = new_id
        self._new_secret = new_secret

    async def create_api_key(
        self,
        caller: Caller,
        *,
        project_id: str,
        key_id: str,
        display_name: str,
        network_id: str,
        actions: frozenset[Action],
        expire_time: datetime | None,
    ) -> tuple[ProjectCredential, str]:
        """Make an API key for devices; returns it with the secret, which nobody can see again.

        Args:
            caller: Who calls.
            project_id: Where.
            key_id: Its id, free in the project.
            display_name: The name people read; the id when empty.
            network_id: The only network that it is good for; empty for all of the project.
            actions: What it is good for.
            expire_time: When it ends; None for never.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ROLE_INSUFFICIENT.
            InvalidArgument: FIELD_INVALID.
            AlreadyExists: RESOURCE_EXISTS.
            ResourceExhausted: LIMIT_REACHED.
        """
        if not actions:
            raise InvalidArgument.for_field("api_key.actions", "names no action")
        return await self._create(
            caller,
            CredentialKind.API_KEY,
            project_id,
            rules.check_credential_id(key_id, field="api_key_id"),
            display_name=display_name,
            network_id=network_id,
            actions=actions,
            expire_time=expire_time,
        )

    async def create_client(
        self,
        caller: Caller,
        *,
        project_id: str,
        client_id: str,
        display_name: str,
        role: Role,
        expire_time: datetime | None,
    ) -> tuple[ProjectCredential, str]:
        """Make a client, for a program that acts in a project with a role of its own.

        Returns it with the secret, which nobody can see again. Raises what
        `create_api_key` raises.
        """
        if role not in PROJECT_ROLES:
            raise InvalidArgument.for_field("client.role", f"{role} is no role of a project")
        return await self._create(
            caller,
            CredentialKind.CLIENT,
            project_id,
            rules.check_credential_id(client_id, field="client_id"),
            display_name=display_name,
            role=role,
            expire_time=expire_time,
        )

    async def get(
        self, caller: Caller, kind: CredentialKind, project_id: str, credential_id: str
    ) -> ProjectCredential:
        """Return a credential, without its secret.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        caller.authorize_project(project_id)
        return await self._store.get_credential(kind, project_id, credential_id)

    async def list(
        self, caller: Caller, kind: CredentialKind, project_id: str, *, after: str, limit: int
    ) -> Sequence[ProjectCredential]:
        """Return the credentials of a project, in the order of ids.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        caller.authorize_project(project_id)
        return await self._store.list_credentials(kind, project_id, after=after, limit=limit)

    async def delete(
        self,
        caller: Caller,
        kind: CredentialKind,
        project_id: str,
        credential_id: str,
        *,
        etag: str,
    ) -> None:
        """Delete a credential; the tokens that it was exchanged for end now.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ROLE_INSUFFICIENT.
            Aborted: ETAG_MISMATCH.
        """
        caller.authorize_project(project_id)
        credential = await self._store.get_credential(kind, project_id, credential_id)
        await self._store.delete_credential(credential, etag=etag, revocations_of=self._revoker.of)

    async def exchange(
        self, kind: CredentialKind, secret: str, *, name: str | None = None
    ) -> tuple[ProjectCredential, SignedToken]:
        """Return an access token for a secret.

        Args:
            kind: What the secret is to be.
            secret: The secret.
            name: The resource name that goes with it, where that has to be told.

        Raises:
            Unauthenticated: CREDENTIALS_INVALID, the same for a secret that never was, was
                deleted, has expired, or belongs to another name.
        """
        found = await self._valid(kind, secret, name)
        issue_time = await self._revoker.issue_time(found.subject)
        # Read again: it may have been deleted before the moment that was just fixed.
        credential = await self._valid(kind, secret, name)
        now = self._clock()
        last = credential.last_use_time
        if last is None or now - last >= _USE_NOTED_EVERY:
            await self._store.note_use(credential, now=now)
        return credential, self._mint.access_for_credential(credential, issue_time=issue_time)

    async def _valid(
        self, kind: CredentialKind, secret: str, name: str | None
    ) -> ProjectCredential:
        credential = await self._store.find_credential(kind, self._digest_of(kind, secret))
        expired = credential is not None and credential.has_expired(self._clock())
        if credential is None or expired or name not in (None, credential.name):
            raise credentials_invalid("this secret is not valid, or not any more")
        return credential

    async def _create(
        self,
        caller: Caller,
        kind: CredentialKind,
        project_id: str,
        credential_id: str,
        *,
        display_name: str,
        expire_time: datetime | None,
        role: Role | None = None,
        network_id: str = "",
        actions: frozenset[Action] = frozenset(),
    ) -> tuple[ProjectCredential, str]:
        caller.authorize_project(project_id)
        now = self._clock()
        if expire_time is not None and expire_time <= now:
            raise InvalidArgument.for_field("expire_time", "has passed already")
        credential = ProjectCredential(
            kind=kind,
            project_id=project_id,
            credential_id=credential_id,
            uid=self._new_id(),
            display_name=rules.check_display_name(display_name, default=credential_id),
            creator=caller.principal.name,
            role=role,
            network_id=network_id,
            actions=actions,
            create_time=now,
            expire_time=expire_time,
            last_use_time=None,
            etag=self._new_id(),
        )
        secret = PREFIXES[kind] + self._new_secret()
        digest = self._digest_of(kind, secret)
        await self._store.create_credential(credential, digest, limit=MOST_PER_PROJECT)
        return credential, secret

    def _digest_of(self, kind: CredentialKind, secret: str) -> str:
        return self._digest(f"{kind}\x00{secret}")


def too_many_credentials(project_id: str, kind: CredentialKind, limit: int) -> ResourceExhausted:
    """Return the error of a project that has as many credentials as allowed."""
    return ResourceExhausted(
        f"{project_name(project_id)} has {limit} {kind}, the most that are allowed; "
        "delete one first",
        reason="LIMIT_REACHED",
        metadata={"resource": f"{project_name(project_id)}/{kind}", "limit": str(limit)},
    )
