"""The composition root: the only place that knows all concrete classes of misaki."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import structlog

from mesh.audit import AuditTrail, trail_to_shiori
from mesh.contracts import all_services
from mesh.database import Database
from mesh.errors import Unavailable
from mesh.health import Dependency
from mesh.idempotency import SqlIdempotencyStore
from mesh.origins import Origins
from mesh.policy import rules_of
from mesh.revocations import Revocation
from mesh.server import Application
from mesh.tokens import LEEWAY_SECONDS, PublicKey, TokenVerifier
from misaki import own_secrets
from misaki.clients.oidc import OidcProvider
from misaki.crypto.digests import new_secret
from misaki.crypto.key_ring import FileKeyRing
from misaki.crypto.keys import KeyFileError
from misaki.crypto.passwords import Argon2Passwords
from misaki.crypto.tokens import JwtMint
from misaki.domain.access_news import AccessNews
from misaki.domain.bootstrap import BootstrapError, FirstAdmin, ensure_admin
from misaki.domain.key_times import RotationRules
from misaki.domain.password_changes import PasswordChanges
from misaki.domain.policies import Policies
from misaki.domain.policy import Catalogue
from misaki.domain.project_credentials import ProjectCredentials
from misaki.domain.projects import Projects
from misaki.domain.provider_logins import Provider, ProviderLogins
from misaki.domain.quota_news import StoredQuotaNews
from misaki.domain.quotas import Quotas
from misaki.domain.revocations import Revoker
from misaki.domain.services import ServiceLogins
from misaki.domain.sessions import SessionLimits, Sessions
from misaki.domain.signing_keys import SigningKeys
from misaki.domain.standing import Standings
from misaki.domain.throttle import Throttle
from misaki.domain.users import Users
from misaki.ports import IdentityProvider
from misaki.providers import read_providers
from misaki.servicers.access import AccessServicer
from misaki.servicers.api_keys import ApiKeyServicer
from misaki.servicers.clients import ClientServicer
from misaki.servicers.oauth import OauthServicer
from misaki.servicers.policies import PolicyServicer
from misaki.servicers.projects import ProjectServicer
from misaki.servicers.provider_logins import ProviderLoginServicer
from misaki.servicers.quotas import QuotaServicer
from misaki.servicers.registry import named
from misaki.servicers.sessions import SessionServicer
from misaki.servicers.signing_keys import SigningKeyServicer
from misaki.servicers.tokens import TokenServicer
from misaki.servicers.users import UserServicer
from misaki.settings import MisakiSettings
from misaki.storage import migrations
from misaki.storage.access import SqlAccessStore
from misaki.storage.attempts import SqlAttemptStore
from misaki.storage.credentials import SqlCredentialStore
from misaki.storage.identities import SqlIdentityStore
from misaki.storage.models import IDEMPOTENCY_KEYS
from misaki.storage.quotas import SqlQuotaStore
from misaki.storage.repository import SqlDirectory
from misaki.storage.sessions import SqlSessionStore

SCHEMA = "misaki"
_KEYS_LOOKED_AFTER_SECONDS = 1.0
# Bounds the memory that logins take together: two hashes of 64 MiB by default.
_HASHING_THREADS = 2
_log = structlog.get_logger(__name__)


@asynccontextmanager
async def build(settings: MisakiSettings) -> AsyncIterator[Application]:
    """Open misaki's stores and build the service on them.

    Raises:
        SystemExit: A setting or file is missing or wrong; the message says which.
    """
    service_secret = own_secrets.service_secret(settings)
    rules = _rotation_rules(settings)
    ring = own_secrets.key_ring(settings.data_directory, rules, _utc_now)
    digests = own_secrets.digests(settings.data_directory)
    database = Database(settings.effective_database_url, schema=SCHEMA)
    try:
        with ThreadPoolExecutor(_HASHING_THREADS, "argon2") as executor:
            await database.migrate(migrations.DIRECTORY)
            verifier = _verifier(settings, ring)
            quota_store = SqlQuotaStore(database)
            quota_news = StoredQuotaNews(quota_store, settings.quota_defaults)
            news, access_store = _access(database, verifier, ring, quota_news)
            await news.refresh()
            directory = SqlDirectory(database, access_store.revoking)
            revoker = _revoker(settings, access_store)
            passwords = Argon2Passwords(executor, memory_kib=settings.password_memory_kib)
            users = Users(directory, passwords, revoker, clock=_utc_now, new_id=_new_id)
            await _bootstrap(settings, directory, users)
            mint = _mint(settings, ring, verifier)
            throttle = Throttle(SqlAttemptStore(database), digests, clock=_utc_now)
            sessions = Sessions(
                directory,
                SqlSessionStore(database, access_store.revoking),
                passwords,
                throttle,
                mint,
                revoker,
                limits=_session_limits(settings),
                clock=_utc_now,
                new_id=_new_id,
            )
            keys = SigningKeys(
                ring, rules, clock=_utc_now, changed=partial(_tell_of_keys, ring, verifier, news)
            )
            origins = Origins(settings.trusted_proxies, settings.trusted_proxy_names)
            projects = Projects(directory, revoker, clock=_utc_now, new_id=_new_id)
            quotas = Quotas(
                quota_store,
                directory,
                news,
                defaults=settings.quota_defaults,
                clock=_utc_now,
                new_id=_new_id,
            )
            policies = _policies(access_store, directory, news)
            await _warn_of_misfits(policies)
            changes = PasswordChanges(directory, passwords, throttle, revoker)
            services = ServiceLogins(mint, secret=service_secret)
            credential_store = SqlCredentialStore(database, access_store.revoking)
            standings = Standings(directory, credential_store, clock=_utc_now)
            credentials = ProjectCredentials(
                credential_store,
                mint,
                revoker,
                digests,
                clock=_utc_now,
                new_id=_new_id,
                new_secret=new_secret,
            )
            async with _trail(settings, mint) as trail, httpx.AsyncClient() as web:
                logins = ProviderLogins(
                    _providers(settings, web),
                    SqlIdentityStore(database),
                    directory,
                    sessions,
                    digests,
                    clock=_utc_now,
                    new_id=_new_id,
                    new_secret=new_secret,
                )
                yield Application(
                    servicers=named(
                        TokenServicer(sessions, services, credentials, ring.public_keys, origins),
                        SessionServicer(sessions),
                        UserServicer(users, changes, origins),
                        ProjectServicer(projects),
                        AccessServicer(news, standings),
                        ApiKeyServicer(credentials),
                        ClientServicer(credentials),
                        OauthServicer(credentials, _utc_now),
                        PolicyServicer(policies),
                        SigningKeyServicer(keys),
                        QuotaServicer(quotas),
                        ProviderLoginServicer(logins, origins),
                    ),
                    verifier=verifier,
                    dependencies=[Dependency("database", database.check)],
                    idempotency=SqlIdempotencyStore(database, IDEMPOTENCY_KEYS),
                    fingerprint_key=digests.derived_key("fingerprints of requests"),
                    background=[news.run, partial(_look_after_keys, ring, keys, verifier)],
                    audit=trail,
                    drain=news.end,
                )
    finally:
        await database.close()


def _trail(
    settings: MisakiSettings, mint: JwtMint
) -> AbstractAsyncContextManager[AuditTrail | None]:
    """Open misaki's trail; misaki gives itself the tokens that the others ask it for."""

    async def own_token() -> str:
        return mint.access_for_service(settings.service_name).token

    if settings.service_secret_file is None:
        return nullcontext()
    return trail_to_shiori(settings, own_token)


def _access(
    database: Database, verifier: TokenVerifier, ring: FileKeyRing, quotas: StoredQuotaNews
) -> tuple[AccessNews, SqlAccessStore]:
    async def key_ids() -> Collection[str]:
        return [key.key_id for key in ring.public_keys()]

    def recorded(revocations: Sequence[Revocation]) -> None:
        news.announce(revocations)

    store = SqlAccessStore(database, recorded=recorded)
    news = AccessNews(store, verifier.access, quotas, clock=_utc_now, key_ids=key_ids)
    return news, store


def _policies(store: SqlAccessStore, directory: SqlDirectory, news: AccessNews) -> Policies:
    contracts = (rule for service in all_services() for rule in rules_of(service))
    return Policies(store, directory, news, Catalogue(contracts), clock=_utc_now)


async def _warn_of_misfits(policies: Policies) -> None:
    policy, misfits = await policies.misfits()
    if misfits.gone:
        _log.warning(
            "the policy has rules for methods that are no more; they do nothing",
            policy=policy.name,
            methods=misfits.gone,
        )
    if misfits.refused:
        _log.warning(
            "the policy has rules that would be refused now; they count until it is changed",
            policy=policy.name,
            problems=misfits.refused,
        )


def _revoker(settings: MisakiSettings, store: SqlAccessStore) -> Revoker:
    longest = timedelta(seconds=settings.access_token_seconds)
    return Revoker(store, clock=_utc_now, longest_token=longest)


def _verifier(settings: MisakiSettings, ring: FileKeyRing) -> TokenVerifier:
    async def own_keys() -> Sequence[PublicKey]:
        return ring.public_keys()

    return TokenVerifier(own_keys, issuer=settings.token_issuer, audience=settings.token_audience)


def _mint(settings: MisakiSettings, ring: FileKeyRing, verifier: TokenVerifier) -> JwtMint:
    return JwtMint(
        ring.current,
        verifier,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        access_lifetime=timedelta(seconds=settings.access_token_seconds),
        clock=_utc_now,
        new_id=_new_id,
    )


def _session_limits(settings: MisakiSettings) -> SessionLimits:
    return SessionLimits(
        idle=timedelta(seconds=settings.refresh_token_seconds),
        longest=timedelta(seconds=settings.session_seconds),
        grace=timedelta(seconds=settings.refresh_grace_seconds),
    )


async def _bootstrap(settings: MisakiSettings, directory: SqlDirectory, users: Users) -> None:
    first = FirstAdmin(
        user_id=settings.admin_user_id,
        display_name=settings.admin_user_name,
        password=own_secrets.admin_password(settings),
    )
    try:
        if await ensure_admin(directory, users, first):
            _log.info("first admin created", user=f"users/{first.user_id}")
    except BootstrapError as error:
        raise SystemExit(f"misaki: {error}") from error


def _providers(
    settings: MisakiSettings, web: httpx.AsyncClient
) -> Mapping[str, tuple[Provider, IdentityProvider]]:
    if settings.oidc_file is None:
        return {}
    providers = read_providers(settings.oidc_file)
    return {p.provider_id: (p, OidcProvider(p, web)) for p in providers}


def _rotation_rules(settings: MisakiSettings) -> RotationRules:
    longest_token = max(settings.refresh_token_seconds, settings.access_token_seconds)
    return RotationRules(
        ahead=timedelta(seconds=settings.signing_key_ahead_seconds),
        kept=timedelta(seconds=longest_token + LEEWAY_SECONDS),
        longest=timedelta(days=settings.signing_key_days),
    )


async def _tell_of_keys(ring: FileKeyRing, verifier: TokenVerifier, news: AccessNews) -> None:
    await verifier.keys_are([key.key_id for key in ring.public_keys()])
    await news.refresh()


async def _look_after_keys(ring: FileKeyRing, keys: SigningKeys, verifier: TokenVerifier) -> None:
    """Replace keys by their age, and hear of those that another instance has replaced."""
    while True:
        try:
            if await keys.rotate_if_due():
                _log.info("the next signing key was made")
            await verifier.keys_are([key.key_id for key in ring.public_keys()])
        except (OSError, KeyFileError, Unavailable) as error:
            _log.warning("signing keys not looked after", error=repr(error))
        await asyncio.sleep(_KEYS_LOOKED_AFTER_SECONDS)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return uuid.uuid4().hex
