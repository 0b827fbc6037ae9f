"""What the domain needs from outside: storage, cryptography, time and ids."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from mesh.access import Principal, Role
from mesh.revocations import Revocation
from misaki.domain.attempts import Attempts, Limits
from misaki.domain.key_times import KeyTimes
from misaki.domain.model import (
    CredentialKind,
    Credentials,
    Member,
    Project,
    ProjectCredential,
    Session,
    User,
    UserChange,
)
from misaki.domain.policy import PolicyVersion

Clock = Callable[[], datetime]
# Makes an id that nobody can guess and that never comes twice.
NewId = Callable[[], str]
# Makes of a text what tells nothing of it to those without the key of the installation.
Digest = Callable[[str], str]
# Makes the revocations of some subjects.
RevocationsOf = Callable[[Sequence[str]], Sequence[Revocation]]


def no_revocations(subjects: Sequence[str]) -> Sequence[Revocation]:
    """Return none, for changes that end nobody's tokens."""
    return ()


class Directory(Protocol):
    """Keeps users, projects and memberships. Each method is one transaction.

    Lists are in the order of ids, byte by byte, and hold at most `limit` items
    after the id `after` (from the beginning when it is empty). `revocations` are
    recorded if the change is made, and only then.
    """

    async def create_user(self, user: User, password_hash: str) -> None:
        """Store a new user.

        Raises:
            AlreadyExists: RESOURCE_EXISTS.
        """

    async def get_user(self, user_id: str) -> User:
        """Return a user.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """

    async def find_credentials(self, user_id: str) -> Credentials | None:
        """Return what a user logs in with, or None when there is no such user."""

    async def list_users(self, *, after: str, limit: int) -> Sequence[User]:
        """Return users."""

    async def has_admin(self) -> bool:
        """Tell whether any user is an admin who may log in."""

    async def update_user(
        self,
        user_id: str,
        change: UserChange,
        *,
        etag: str,
        new_etag: str,
        revocations: Sequence[Revocation] = (),
    ) -> User:
        """Change a user; who is disabled by it loses all sessions.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            Aborted: ETAG_MISMATCH.
            FailedPrecondition: STATE_CONFLICT: nobody would be left to administer.
        """

    async def set_password(
        self, user_id: str, password_hash: str, *, revocations: Sequence[Revocation]
    ) -> None:
        """Replace a user's password, and end all sessions of the user.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """

    async def delete_user(
        self, user_id: str, *, etag: str, revocations: Sequence[Revocation] = ()
    ) -> None:
        """Delete a user with all memberships and sessions.

        Args:
            user_id: The user.
            etag: When not empty, the etag that the user has to have.
            revocations: What ends with the user.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            Aborted: ETAG_MISMATCH.
            FailedPrecondition: STATE_CONFLICT: nobody would be left to administer.
        """

    async def create_project(self, project: Project) -> None:
        """Store a new project.

        Raises:
            AlreadyExists: RESOURCE_EXISTS, also when a deleted project had the id.
        """

    async def get_project(self, project_id: str) -> Project:
        """Return a project.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """

    async def list_projects(
        self, *, after: str, limit: int, among: Collection[str] | None = None
    ) -> Sequence[Project]:
        """Return projects, only those whose ids are `among` the given ones if any are."""

    async def update_project(
        self, project_id: str, *, display_name: str, etag: str, new_etag: str
    ) -> Project:
        """Change the name that people read of a project.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            Aborted: ETAG_MISMATCH.
        """

    async def delete_project(
        self,
        project_id: str,
        *,
        etag: str,
        delete_time: datetime,
        revocations_of: RevocationsOf = no_revocations,
    ) -> None:
        """Delete a project with its memberships and the sessions narrowed to it.

        Its id is kept from coming back.

        Args:
            project_id: The project.
            etag: As in `delete_user`.
            delete_time: When this happens.
            revocations_of: Ends the tokens of those who lose a role.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            Aborted: ETAG_MISMATCH.
        """

    async def create_member(self, member: Member, *, limit: int) -> None:
        """Store a new membership.

        Args:
            member: The membership.
            limit: The most that its user may have.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: there is no such project or user.
            AlreadyExists: RESOURCE_EXISTS.
            ResourceExhausted: LIMIT_REACHED.
        """

    async def update_member(
        self,
        project_id: str,
        user_id: str,
        *,
        role: Role,
        etag: str,
        new_etag: str,
        revocations: Sequence[Revocation],
    ) -> Member:
        """Give a member another role.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            Aborted: ETAG_MISMATCH.
        """

    async def list_members(self, project_id: str, *, after: str, limit: int) -> Sequence[Member]:
        """Return the members of a project, in the order of user ids.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: there is no such project.
        """

    async def delete_member(
        self, project_id: str, user_id: str, *, revocations: Sequence[Revocation] = ()
    ) -> None:
        """Delete a membership.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """

    async def roles_of(self, user_id: str) -> Mapping[str, Role]:
        """Return a user's role in each project, by the project's id."""


class SessionStore(Protocol):
    """Keeps logins. Each method is one transaction."""

    async def create_session(self, session: Session) -> None:
        """Store a new session.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: its user is gone.
        """

    async def find_session(self, session_id: str) -> Session | None:
        """Return a session, or None when it has ended or never was."""

    async def renew_session(self, session: Session, *, generation: int) -> bool:
        """Store the next state of a session, if it is still of a certain generation.

        Returns:
            Whether it was; nothing is stored otherwise.
        """

    async def end_session(self, session_id: str, *, revocations: Sequence[Revocation]) -> bool:
        """End a session; returns whether there was one."""

    async def list_sessions(self, user_id: str, *, after: str, limit: int) -> Sequence[Session]:
        """Return a user's sessions in the order of their ids, `limit` after an id."""

    async def forget_sessions(self, *, now: datetime) -> None:
        """Delete the sessions whose last refresh token has ended."""


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
        self, credential: ProjectCredential, *, etag: str, revocations: Sequence[Revocation]
    ) -> None:
        """Delete a credential.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            Aborted: ETAG_MISMATCH.
        """

    async def note_use(self, credential: ProjectCredential, *, now: datetime) -> None:
        """Note when a credential was used last; one that is gone is left alone."""


@dataclass(frozen=True)
class Identity:
    """Somebody whom another provider vouches for: who says so, who it is, what is said."""

    issuer: str
    subject: str
    claims: Mapping[str, Any]


class IdentityProvider(Protocol):
    """A provider of OpenID Connect."""

    async def authorization_url(
        self, *, redirect_uri: str, state: str, nonce: str, verifier: str
    ) -> str:
        """Return where the browser goes to log in.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """

    async def redeem(self, code: str, *, redirect_uri: str, nonce: str, verifier: str) -> Identity:
        """Return who a code speaks for, with the same values as in the URL before.

        Raises:
            Unauthenticated: CREDENTIALS_INVALID.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """


@dataclass(frozen=True)
class StartedLogin:
    """A login under way with another provider; secrets as digests."""

    state_digest: str
    handle_digest: str
    provider_id: str
    redirect_uri: str
    expire_time: datetime


class IdentityStore(Protocol):
    """Keeps accounts of other providers, and logins under way with them."""

    async def start_login(self, login: StartedLogin) -> None:
        """Keep a login under way."""

    async def take_login(self, state_digest: str) -> StartedLogin | None:
        """Return a login under way and forget it; of several at once one gets it."""

    async def forget_logins(self, *, now: datetime) -> None:
        """Delete the logins that took too long."""

    async def find_identity(self, issuer: str, subject: str) -> str | None:
        """Return the id of the user that an account belongs to, or None."""

    async def link_identity(self, issuer: str, subject: str, user_id: str) -> None:
        """Let an account belong to a user, if it does not already.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: there is no such user.
            AlreadyExists: RESOURCE_EXISTS: it belongs to another user.
        """

    async def create_linked_user(self, user: User, issuer: str, subject: str) -> None:
        """Store a new user without a password, to whom an account belongs.

        Raises:
            AlreadyExists: RESOURCE_EXISTS: the user, or the account, is there already.
        """


class AttemptStore(Protocol):
    """Counts failures by key, see `misaki.domain.throttle`. Each method is one transaction."""

    async def attempts(self, keys: Collection[str]) -> Mapping[str, Attempts]:
        """Return the counts that there are of some keys."""

    async def count_failure(self, key: str, limits: Limits, *, now: datetime) -> None:
        """Count one more failure; two at the same time count twice."""

    async def count_success(self, *, clear: str, remember: str, now: datetime) -> None:
        """Drop the count of one key, and note the time under another."""

    async def forget_attempts(self, *, older_than: datetime) -> None:
        """Drop the counts that have not changed since."""


class AccessStore(Protocol):
    """Keeps what decides about access beside the roles: revocations and the policy."""

    async def record_revocations(self, revocations: Sequence[Revocation]) -> None:
        """Record revocations that no other change goes with."""

    async def last_revocation(self, subjects: Collection[str]) -> datetime | None:
        """Return the latest `issued_before` of any of these subjects, None without any."""

    async def revocations(self, *, now: datetime) -> Sequence[Revocation]:
        """Return the revocations that have not expired, in the order they were recorded."""

    async def forget_revocations(self, *, now: datetime) -> None:
        """Delete the revocations that have expired."""

    async def mark(self) -> str:
        """Return a text that differs as soon as anything of all this does; cheap to ask for."""

    async def policy(self, version: int | None = None) -> PolicyVersion:
        """Return a version of the policy, the newest unless another is asked for.

        Version 0 always is there, and changes nothing.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """

    async def list_policies(self, *, before: int | None, limit: int) -> Sequence[PolicyVersion]:
        """Return versions of the policy, newest first, only those below `before` if given."""

    async def add_policy(self, policy: PolicyVersion) -> None:
        """Store the next version of the policy.

        Raises:
            Aborted: ETAG_MISMATCH: its version is not the next one any more.
        """


class Passwords(Protocol):
    """Hashes passwords, slowly on purpose and off the event loop."""

    async def hash(self, password: str) -> str:
        """Return a salted hash."""

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Tell whether a password belongs to a hash.

        Takes as long, and says no, when there is no hash: how long an answer
        takes must not tell whether a user exists.
        """

    def weakness(self, password: str, known: Sequence[str]) -> str:
        """Return why a new password is too easy to guess; nothing when it is not.

        Args:
            password: The password.
            known: What anybody would try first, such as the name of the user.
        """


@dataclass(frozen=True)
class SignedToken:
    """A token and the moment it ends."""

    token: str
    expire_time: datetime


@dataclass(frozen=True)
class Renewal:
    """Which session a refresh token belongs to, and which of its tokens it is."""

    user_id: str
    session_id: str
    generation: int


class KeyRing(Protocol):
    """Holds the keys that sign tokens."""

    def times(self) -> Sequence[KeyTimes]:
        """Return the dates of all keys that there are."""

    def rotate(self, *, immediately: bool) -> None:
        """Make the next key, unless there is one that does not sign yet.

        Args:
            immediately: The new key signs at once, and all others are forgotten.
        """


class TokenMint(Protocol):
    """Makes tokens, and reads the refresh tokens it made."""

    def access_for_user(
        self,
        user: User,
        roles: Mapping[str, Role],
        *,
        admin: bool,
        session_id: str,
        issue_time: datetime,
    ) -> SignedToken:
        """Return an access token that carries roles of the user; see `Revoker.issue_time`."""

    def refresh_for(self, session: Session) -> SignedToken:
        """Return the refresh token of a session that is good."""

    def access_for_credential(
        self, credential: ProjectCredential, *, issue_time: datetime
    ) -> SignedToken:
        """Return an access token that says what a credential allows, and ends with it."""

    def access_for_service(self, service: str) -> SignedToken:
        """Return the access token of a service of the mesh."""

    async def read_access(self, token: str) -> Principal:
        """Return whom an access token speaks for, whether it was taken back or not.

        Raises:
            Unauthenticated: TOKEN_INVALID.
        """

    async def read_refresh(self, token: str) -> Renewal:
        """Return what a refresh token says.

        Raises:
            Unauthenticated: TOKEN_INVALID.
        """
