"""Starts real services in the test's own process, on ports that the system picks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from hanami.misaki.v1 import (
    project_service_pb2,
    project_service_pb2_grpc,
    quota_service_pb2,
    quota_service_pb2_grpc,
    session_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    user_service_pb2,
    user_service_pb2_grpc,
)
from hanami.type.v1 import access_pb2, quota_pb2
from pydantic import SecretStr

from mesh.server import RunningServer, serving
from misaki.app import build
from misaki.settings import MisakiSettings

ADMIN_ID = "root"
ADMIN_PASSWORD = "correct horse battery"
SERVICE_SECRET = "the-secret-of-this-mesh"
Metadata = tuple[tuple[str, str], ...]


def bearer(token: str) -> Metadata:
    """Return the call metadata that carries a token."""
    return (("authorization", f"Bearer {token}"),)


@dataclass(frozen=True)
class RunningMisaki:
    """A real misaki with an admin, and stubs to speak to it.

    Attributes:
        address: host:port.
        service_secret_file: For the settings of other services.
        channel: An open channel.
        running: The server, with its health.
        settings: What it runs with.
    """

    address: str
    service_secret_file: Path
    channel: grpc.aio.Channel
    running: RunningServer
    settings: MisakiSettings

    @property
    def tokens(self) -> "token_service_pb2_grpc.TokenServiceAsyncStub":
        """The stub of TokenService."""
        return token_service_pb2_grpc.TokenServiceStub(self.channel)

    @property
    def sessions(self) -> "session_service_pb2_grpc.SessionServiceAsyncStub":
        """The stub of SessionService."""
        return session_service_pb2_grpc.SessionServiceStub(self.channel)

    @property
    def users(self) -> "user_service_pb2_grpc.UserServiceAsyncStub":
        """The stub of UserService."""
        return user_service_pb2_grpc.UserServiceStub(self.channel)

    @property
    def projects(self) -> "project_service_pb2_grpc.ProjectServiceAsyncStub":
        """The stub of ProjectService."""
        return project_service_pb2_grpc.ProjectServiceStub(self.channel)

    async def log_in(
        self, user_id: str = ADMIN_ID, password: str = ADMIN_PASSWORD
    ) -> token_service_pb2.TokenPair:
        """Log a user in."""
        request = token_service_pb2.LoginRequest(user_id=user_id, password=password)
        return await self.tokens.Login(request)

    async def refresh(self, refresh_token: str, project: str = "") -> token_service_pb2.TokenPair:
        """Renew a pair of tokens."""
        request = token_service_pb2.RefreshTokenRequest(
            refresh_token=refresh_token, project=project
        )
        return await self.tokens.RefreshToken(request)

    async def admin(self) -> Metadata:
        """Return call metadata with a fresh token of the admin."""
        return bearer((await self.log_in()).access_token)

    async def service(self, name: str = "kyouko") -> Metadata:
        """Return call metadata with a fresh token of a service."""
        request = token_service_pb2.IssueServiceTokenRequest(service=name, secret=SERVICE_SECRET)
        return bearer((await self.tokens.IssueServiceToken(request)).access_token)

    async def create_project(self, project_id: str) -> project_service_pb2.Project:
        """Create a project as the admin."""
        request = project_service_pb2.CreateProjectRequest(project_id=project_id)
        return await self.projects.CreateProject(request, metadata=await self.admin())

    async def create_user(self, user_id: str, **roles: str) -> Metadata:
        """Create a user with roles in existing projects; returns metadata with a token.

        Args:
            user_id: The user; the password is `password-of-` and this.
            roles: `MEMBER` and its like, by project id (underscores for dashes).
        """
        admin = await self.admin()
        password = f"password-of-{user_id}"
        await self.users.CreateUser(
            user_service_pb2.CreateUserRequest(user_id=user_id, password=password), metadata=admin
        )
        for project_id, role in roles.items():
            await self.projects.CreateMember(
                project_service_pb2.CreateMemberRequest(
                    parent=f"projects/{project_id.replace('_', '-')}",
                    user=f"users/{user_id}",
                    role=access_pb2.Role.Value(f"ROLE_{role}"),
                ),
                metadata=admin,
            )
        return bearer((await self.log_in(user_id, password)).access_token)

    async def limit(self, subject: str, **limits: int | None) -> None:
        """Limit what a project or a user may have, as the admin; None is the default.

        Args:
            subject: `projects/{project}` or `users/{user}`.
            limits: By the names of `QuotaLimits`.
        """
        stub = quota_service_pb2_grpc.QuotaServiceStub(self.channel)
        values = {name: limit for name, limit in limits.items() if limit is not None}
        mask = FieldMask(paths=[f"limits.{name}" for name in limits])
        name, wanted = f"{subject}/quota", quota_pb2.QuotaLimits(**values)
        if subject.startswith("users/"):
            await stub.UpdateUserQuota(
                quota_service_pb2.UpdateUserQuotaRequest(
                    quota=quota_service_pb2.UserQuota(name=name, limits=wanted), update_mask=mask
                ),
                metadata=await self.admin(),
            )
        else:
            await stub.UpdateProjectQuota(
                quota_service_pb2.UpdateProjectQuotaRequest(
                    quota=quota_service_pb2.ProjectQuota(name=name, limits=wanted), update_mask=mask
                ),
                metadata=await self.admin(),
            )


def misaki_settings(folder: Path, **changes: Any) -> MisakiSettings:
    """Return settings of a misaki in a folder, with an admin and a service secret."""
    folder.mkdir(parents=True, exist_ok=True)
    secret_file = folder / "service-secret"
    secret_file.write_text(SERVICE_SECRET, encoding="utf-8")
    values: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "data_directory": folder / "data",
        "service_secret_file": secret_file,
        "admin_user_id": ADMIN_ID,
        "admin_user_name": "Root",
        "admin_password": SecretStr(ADMIN_PASSWORD),
        # The cheapest allowed: the tests log in hundreds of times.
        "password_memory_kib": 8 * 1024,
        "drain_seconds": 1.0,
        # Nobody listens there, unless a test says where shiori is.
        "shiori_address": "127.0.0.1:1",
    }
    return MisakiSettings(**(values | changes))


@asynccontextmanager
async def start_misaki(folder: Path, **changes: Any) -> AsyncIterator[RunningMisaki]:
    """Run a real misaki with its files in a folder.

    Args:
        folder: For data and secrets; a second start on it finds the same users.
        changes: Settings that differ from those of `misaki_settings`.
    """
    settings = misaki_settings(folder, **changes)
    async with build(settings) as application, serving(settings, application) as running:
        address = f"127.0.0.1:{running.port}"
        async with grpc.aio.insecure_channel(address) as channel:
            assert settings.service_secret_file is not None
            yield RunningMisaki(
                address=address,
                service_secret_file=settings.service_secret_file,
                channel=channel,
                running=running,
                settings=settings,
            )
