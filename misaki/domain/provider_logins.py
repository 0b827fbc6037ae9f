"""Logging in with an account of somebody else: OpenID Connect, code flow with PKCE.

Whoever starts a login gets a handle beside the URL for the browser, and finishes it with
both: the state that the browser brings back, and the handle, which never was in a URL.
A code that somebody else slips in, or takes out, is of no use without it. Verifier and
nonce are derived from the handle, so that the store keeps nothing that helps a thief.
"""

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from mesh.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unauthenticated,
)
from misaki.domain import rules
from misaki.domain.model import User, user_name
from misaki.domain.sessions import Sessions, TokenPair, Where
from misaki.ports import (
    Clock,
    Digest,
    Directory,
    Identity,
    IdentityProvider,
    IdentityStore,
    NewId,
    StartedLogin,
)

LASTS = timedelta(minutes=10)
# Anybody may start a login, and each is kept until it ends. An origin may be a whole office.
UNDER_WAY_OF_AN_ORIGIN = 50
UNDER_WAY_IN_ALL = 10_000
# Only what all who read it take for the same address: browsers, providers and libraries differ
# about user names, backslashes and escapes in URLs.
_LOOPBACK = re.compile(
    r"http://(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?"
)


class NewPeople(StrEnum):
    """What happens when somebody comes from a provider for the first time."""

    CREATE = "create"
    EXISTING = "existing"


@dataclass(frozen=True)
class Provider:
    """A provider, as the installation is set up with it.

    Attributes:
        provider_id: Its id here.
        display_name: The name people read.
        issuer: Its URL, exactly as in its ID tokens.
        client_id: What we are there.
        client_secret: Our secret there; empty for a public client.
        scopes: What we ask for.
        user_claim: The claim that holds the id of the user.
        new_people: What happens at a first login.
        redirect_uris: Where it may send browsers back to, beside loopback addresses.
    """

    provider_id: str
    display_name: str
    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    user_claim: str = "preferred_username"
    new_people: NewPeople = NewPeople.CREATE
    redirect_uris: tuple[str, ...] = ()

    def check_redirect_uri(self, uri: str) -> None:
        """Refuse an address that the browser must not be sent back to.

        Programs on a person's own machine listen on any port of a loopback address
        (RFC 8252, section 7.3).

        Raises:
            InvalidArgument: FIELD_INVALID.
        """
        is_allowed = uri in self.redirect_uris and is_plain_uri(uri)
        if not is_allowed and not _LOOPBACK.fullmatch(uri):
            raise InvalidArgument.for_field(
                "redirect_uri", "is none of those that this installation is set up with"
            )


@dataclass(frozen=True)
class LoginStart:
    """What begins a login: the URL for the browser, and the handle for whoever finishes it."""

    authorization_url: str
    handle: str = field(repr=False)
    expire_time: datetime


class ProviderLogins:
    """Logs people in with accounts of other providers."""

    def __init__(
        self,
        providers: Mapping[str, tuple[Provider, IdentityProvider]],
        store: IdentityStore,
        directory: Directory,
        sessions: Sessions,
        digest: Digest,
        *,
        clock: Clock,
        new_id: NewId,
        new_secret: Callable[[], str],
    ) -> None:
        self._providers = providers
        self._store = store
        self._directory = directory
        self._sessions = sessions
        self._digest = digest
        self._clock = clock
        self._new_id = new_id
        self._new_secret = new_secret

    def list(self) -> Sequence[Provider]:
        """Return the providers, in the order of ids."""
        return [provider for _, (provider, _) in sorted(self._providers.items())]

    async def start(self, provider_id: str, redirect_uri: str, *, origin: str) -> LoginStart:
        """Begin a login.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: there is no such provider.
            InvalidArgument: FIELD_INVALID: the browser must not be sent back there.
            ResourceExhausted: LIMIT_REACHED: too many are under way.
            Unavailable: DEPENDENCY_UNAVAILABLE: the provider does not answer.
        """
        if provider_id not in self._providers:
            raise NotFound(f"loginProviders/{provider_id}")
        provider, remote = self._providers[provider_id]
        provider.check_redirect_uri(redirect_uri)
        handle, state = self._new_secret(), self._new_secret()
        url = await remote.authorization_url(
            redirect_uri=redirect_uri,
            state=state,
            nonce=self._derived("nonce", handle),
            verifier=self._derived("verifier", handle),
        )
        now = self._clock()
        started = StartedLogin(
            state_digest=self._derived("state", state),
            handle_digest=self._derived("handle", handle),
            provider_id=provider_id,
            redirect_uri=redirect_uri,
            expire_time=now + LASTS,
            origin_digest=self._derived("origin", origin),
        )
        await self._store.forget_logins(now=now)
        await self._store.start_login(
            started, of_origin=UNDER_WAY_OF_AN_ORIGIN, in_all=UNDER_WAY_IN_ALL
        )
        return LoginStart(url, handle, started.expire_time)

    async def finish(self, *, state: str, code: str, handle: str, where: Where) -> TokenPair:
        """Log somebody in with what the browser has brought back.

        Raises:
            Unauthenticated: CREDENTIALS_INVALID: no such login, or not this one, or the
                provider says no.
            FailedPrecondition: STATE_CONFLICT: the account fits no user here.
            Unavailable: DEPENDENCY_UNAVAILABLE: the provider does not answer.
            NotFound: RESOURCE_NOT_FOUND: no such project for this user.
        """
        started = await self._store.take_login(self._derived("state", state))
        given = self._derived("handle", handle)
        if (
            started is None
            or started.expire_time <= self._clock()
            or not hmac.compare_digest(started.handle_digest, given)
            or started.provider_id not in self._providers
        ):
            raise login_refused("no such login was started, or it took too long")
        provider, remote = self._providers[started.provider_id]
        identity = await remote.redeem(
            code,
            redirect_uri=started.redirect_uri,
            nonce=self._derived("nonce", handle),
            verifier=self._derived("verifier", handle),
        )
        user_id = await self._user_of(provider, identity)
        issue_time = await self._sessions.issue_time(user_id)
        credentials = await self._directory.find_credentials(user_id)
        if credentials is None or credentials.user.disabled:
            raise login_refused("this user may not log in")
        return await self._sessions.open(credentials, where, issue_time)

    async def _user_of(self, provider: Provider, identity: Identity) -> str:
        """Return the id of the user that an account belongs to, or now begins to."""
        linked = await self._store.find_identity(identity.issuer, identity.subject)
        if linked is not None:
            return linked
        user_id = _claimed_id(provider, identity)
        if provider.new_people is NewPeople.CREATE:
            return await self._created(user_id, identity)
        try:
            user = await self._directory.get_user(user_id)
        except NotFound as error:
            raise _fits_nobody(f"there is no {user_name(user_id)} here", "NO_USER") from error
        if user.admin:
            # Who could choose a name at the provider would be one of ours.
            raise _fits_nobody(f"{user_name(user_id)} is an admin", "USER_IS_ADMIN")
        await self._store.link_identity(identity.issuer, identity.subject, user_id)
        return user_id

    async def _created(self, user_id: str, identity: Identity) -> str:
        display_name = identity.claims.get("name")
        user = User(
            user_id=user_id,
            display_name=rules.check_display_name(
                display_name if isinstance(display_name, str) else "", default=user_id
            ),
            admin=False,
            create_time=self._clock(),
            etag=self._new_id(),
            uid=self._new_id(),
        )
        try:
            await self._store.create_linked_user(user, identity.issuer, identity.subject)
        except AlreadyExists as error:
            # Two first logins at once make one user; another user's name is not given away.
            linked = await self._store.find_identity(identity.issuer, identity.subject)
            if linked is not None:
                return linked
            raise _fits_nobody(f"{user_name(user_id)} is somebody else", "USER_EXISTS") from error
        return user_id

    def _derived(self, purpose: str, secret: str) -> str:
        return self._digest(f"login {purpose}\x00{secret}")


def too_many_logins() -> ResourceExhausted:
    """Return the error of somebody who starts one login too many."""
    return ResourceExhausted(
        "too many logins with other providers were started and not finished; try again in "
        f"{LASTS // timedelta(minutes=1)} minutes",
        reason="LIMIT_REACHED",
        metadata={"resource": "loginProviders", "limit": str(UNDER_WAY_OF_AN_ORIGIN)},
    )


def is_plain_uri(uri: str) -> bool:
    """Tell whether a URI holds nothing that makes some read another host in it than others.

    That is: no user name, no backslash, no space or control character, no fragment.
    """
    try:
        has_user = "@" in urlsplit(uri).netloc
    except ValueError:
        return False
    return uri.isascii() and uri.isprintable() and not (has_user or set("\\# ") & set(uri))


def login_refused(problem: str) -> Unauthenticated:
    """Return the error of somebody whom a provider has not vouched for."""
    return Unauthenticated(f"the login did not succeed: {problem}", reason="CREDENTIALS_INVALID")


def _claimed_id(provider: Provider, identity: Identity) -> str:
    claimed = identity.claims.get(provider.user_claim)
    if provider.user_claim == "email" and identity.claims.get("email_verified") is not True:
        raise _fits_nobody("the provider has not verified the e-mail address", "NOT_VERIFIED")
    if not isinstance(claimed, str) or not rules.is_user_id(claimed.lower()):
        raise _fits_nobody(f"the claim {provider.user_claim} is no id of a user", "NO_USER_ID")
    return claimed.lower()


def _fits_nobody(problem: str, state: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"this account cannot log in here: {problem}",
        reason="STATE_CONFLICT",
        metadata={"resource": "users", "state": state},
    )
