"""The composition root: the only place that knows all concrete classes of misaki."""

import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from hanami.misaki.v1 import (
    access_service_pb2_grpc,
    project_service_pb2_grpc,
    token_service_pb2_grpc,
    user_service_pb2_grpc,
)

from mesh.database import Database
from mesh.health import Dependency
from mesh.idempotency import SqlIdempotencyStore
from mesh.revocations import Revocation
from mesh.server import Application, Servicer
from mesh.tokens import PublicKey, TokenVerifier
from misaki.crypto.keys import KeyFileError, SigningKey, load_or_create
from misaki.crypto.passwords import Argon2Passwords
from misaki.crypto.tokens import JwtMint, TokenLifetimes
from misaki.domain.access_news import AccessNews
from misaki.domain.bootstrap import BootstrapError, FirstAdmin, ensure_admin
from misaki.domain.projects import Projects
from misaki.domain.revocations import Revoker
from misaki.domain.sessions import Sessions
from misaki.domain.users import Users
from misaki.servicers.access import AccessServicer
from misaki.servicers.projects import ProjectServicer
from misaki.servicers.tokens import TokenServicer
from misaki.servicers.users import UserServicer
from misaki.settings import MisakiSettings
from misaki.storage import migrations
from misaki.storage.access import SqlAccessStore
from misaki.storage.models import IDEMPOTENCY_KEYS
from misaki.storage.repository import SqlDirectory

SCHEMA = "misaki"
# Bounds the memory that logins take together: two hashes of 64 MiB by default.
_HASHING_THREADS = 2
_log = structlog.get_logger(__name__)


@asynccontextmanager
async def build(settings: MisakiSettings) -> AsyncIterator[Application]:
    """Open misaki's stores and build the service on them.

    Raises:
        SystemExit: A setting or file is missing or wrong; the message says which.
    """
    service_secret = _service_secret(settings)
    key = _signing_key(settings.data_directory)
    database = Database(settings.effective_database_url, schema=SCHEMA)
    try:
        with ThreadPoolExecutor(_HASHING_THREADS, "argon2") as executor:
            await database.migrate(migrations.DIRECTORY)
            verifier = _verifier(settings, key.public)
            news, access_store = _access(database, verifier, key.public)
            await news.refresh()
            directory = SqlDirectory(database, access_store.revoking)
            revoker = _revoker(settings, access_store)
            passwords = Argon2Passwords(executor, memory_kib=settings.password_memory_kib)
            users = Users(directory, passwords, revoker, clock=_utc_now, new_id=_new_id)
            await _bootstrap(settings, directory, users)
            sessions = Sessions(
                directory,
                passwords,
                _mint(settings, key, verifier),
                revoker,
                service_secret=service_secret,
            )
            projects = Projects(directory, revoker, clock=_utc_now, new_id=_new_id)
            yield Application(
                servicers=_servicers(sessions, users, projects, news, key.public),
                verifier=verifier,
                dependencies=[Dependency("database", database.check)],
                idempotency=SqlIdempotencyStore(database, IDEMPOTENCY_KEYS),
                fingerprint_key=key.fingerprint_key(),
                background=[news.run],
                drain=news.end,
            )
    finally:
        await database.close()


def _servicers(
    sessions: Sessions, users: Users, projects: Projects, news: AccessNews, key: PublicKey
) -> Sequence[Servicer]:
    return [
        Servicer(
            "hanami.misaki.v1.TokenService",
            token_service_pb2_grpc.add_TokenServiceServicer_to_server,
            TokenServicer(sessions, [key]),
        ),
        Servicer(
            "hanami.misaki.v1.UserService",
            user_service_pb2_grpc.add_UserServiceServicer_to_server,
            UserServicer(users),
        ),
        Servicer(
            "hanami.misaki.v1.ProjectService",
            project_service_pb2_grpc.add_ProjectServiceServicer_to_server,
            ProjectServicer(projects),
        ),
        Servicer(
            "hanami.misaki.v1.AccessService",
            access_service_pb2_grpc.add_AccessServiceServicer_to_server,
            AccessServicer(news),
        ),
    ]


def _access(
    database: Database, verifier: TokenVerifier, key: PublicKey
) -> tuple[AccessNews, SqlAccessStore]:
    async def key_ids() -> Collection[str]:
        return [key.key_id]

    def recorded(revocations: Sequence[Revocation]) -> None:
        news.announce(revocations)

    store = SqlAccessStore(database, recorded=recorded)
    news = AccessNews(store, verifier.access, clock=_utc_now, key_ids=key_ids)
    return news, store


def _revoker(settings: MisakiSettings, store: SqlAccessStore) -> Revoker:
    longest = timedelta(seconds=settings.access_token_seconds)
    return Revoker(store, clock=_utc_now, longest_token=longest)


def _verifier(settings: MisakiSettings, key: PublicKey) -> TokenVerifier:
    async def own_keys() -> Sequence[PublicKey]:
        return [key]

    return TokenVerifier(own_keys, issuer=settings.token_issuer, audience=settings.token_audience)


def _mint(settings: MisakiSettings, key: SigningKey, verifier: TokenVerifier) -> JwtMint:
    return JwtMint(
        key,
        verifier,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        lifetimes=TokenLifetimes(
            access=timedelta(seconds=settings.access_token_seconds),
            refresh=timedelta(seconds=settings.refresh_token_seconds),
        ),
        clock=_utc_now,
        new_id=_new_id,
    )


async def _bootstrap(settings: MisakiSettings, directory: SqlDirectory, users: Users) -> None:
    first = FirstAdmin(
        user_id=settings.admin_user_id,
        display_name=settings.admin_user_name,
        password=_admin_password(settings),
    )
    try:
        if await ensure_admin(directory, users, first):
            _log.info("first admin created", user=f"users/{first.user_id}")
    except BootstrapError as error:
        raise SystemExit(f"misaki: {error}") from error


def _admin_password(settings: MisakiSettings) -> str:
    if settings.admin_password_file is not None:
        return _secret_in(settings.admin_password_file, "HANAMI_ADMIN_PASSWORD_FILE")
    return settings.admin_password.get_secret_value()


def _service_secret(settings: MisakiSettings) -> str:
    if settings.service_secret_file is None:
        _log.warning("services get no tokens: HANAMI_SERVICE_SECRET_FILE is not set")
        return ""
    return _secret_in(settings.service_secret_file, "HANAMI_SERVICE_SECRET_FILE")


def _secret_in(path: Path, setting: str) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"misaki: cannot read {setting}: {error}") from error
    if not secret:
        raise SystemExit(f"misaki: {setting}: {path} is empty")
    return secret


def _signing_key(folder: Path) -> SigningKey:
    try:
        return load_or_create(folder)
    except (OSError, KeyFileError) as error:
        raise SystemExit(f"misaki: no signing key: {error}") from error


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return uuid.uuid4().hex
