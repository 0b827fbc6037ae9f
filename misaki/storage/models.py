"""The tables of misaki."""

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Identity, Integer, String, Text, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from mesh.database import UtcTimestamp, new_metadata
from mesh.idempotency import idempotency_table


def _identifier() -> String:
    # Byte order everywhere, so that lists and page tokens do not depend on a locale.
    return String(63).with_variant(String(63, collation="C"), "postgresql")


class Base(DeclarativeBase):
    """What all tables of misaki have in common."""

    metadata = new_metadata()


class UserRow(Base):
    """Somebody who may log in."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("length(user_id) >= 3", name="user_id_length"),)

    user_id: Mapped[str] = mapped_column(_identifier(), primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    display_name: Mapped[str] = mapped_column(String(128))
    admin: Mapped[bool]
    password_hash: Mapped[str] = mapped_column(String(256))
    create_time: Mapped[datetime] = mapped_column(UtcTimestamp)
    etag: Mapped[str] = mapped_column(String(32))
    disabled: Mapped[bool] = mapped_column(server_default=false())
    epoch: Mapped[int] = mapped_column(server_default="0")


class ProjectRow(Base):
    """A project. Its creator may be gone, so this is no foreign key.

    A row with a `delete_time` only keeps its id from being used again.
    """

    __tablename__ = "projects"
    __table_args__ = (CheckConstraint("length(project_id) >= 2", name="project_id_length"),)

    project_id: Mapped[str] = mapped_column(_identifier(), primary_key=True)
    display_name: Mapped[str] = mapped_column(String(128))
    creator_id: Mapped[str] = mapped_column(_identifier())
    create_time: Mapped[datetime] = mapped_column(UtcTimestamp)
    etag: Mapped[str] = mapped_column(String(32))
    delete_time: Mapped[datetime | None] = mapped_column(UtcTimestamp)


class MemberRow(Base):
    """A user's role in a project; goes with either of them."""

    __tablename__ = "members"
    __table_args__ = (
        CheckConstraint("role IN ('PROJECT_ADMIN', 'MEMBER', 'VIEWER')", name="role_of_project"),
    )

    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.project_id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(16))
    create_time: Mapped[datetime] = mapped_column(UtcTimestamp)
    etag: Mapped[str] = mapped_column(String(32), server_default="first")


class SessionRow(Base):
    """A login; goes with its user."""

    __tablename__ = "sessions"

    session_id: Mapped[str] = mapped_column(_identifier(), primary_key=True)
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.user_id", ondelete="CASCADE"), index=True
    )
    project_id: Mapped[str] = mapped_column(_identifier(), index=True)
    generation: Mapped[int]
    create_time: Mapped[datetime] = mapped_column(UtcTimestamp)
    renew_time: Mapped[datetime] = mapped_column(UtcTimestamp)
    expire_time: Mapped[datetime] = mapped_column(UtcTimestamp, index=True)
    origin: Mapped[str] = mapped_column(String(64))
    client: Mapped[str] = mapped_column(String(128))


class CredentialRow(Base):
    """An API key or a client; `digest` is that of its secret. Goes with its project."""

    __tablename__ = "credentials"
    __table_args__ = (
        CheckConstraint("kind IN ('apiKeys', 'clients')", name="kind_known"),
        CheckConstraint(
            "role IN ('', 'PROJECT_ADMIN', 'MEMBER', 'VIEWER')", name="role_of_project"
        ),
    )

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.project_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    credential_id: Mapped[str] = mapped_column(_identifier(), primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    digest: Mapped[str] = mapped_column(String(43), unique=True)
    display_name: Mapped[str] = mapped_column(String(128))
    creator: Mapped[str] = mapped_column(String(160))
    role: Mapped[str] = mapped_column(String(16))
    network_id: Mapped[str] = mapped_column(_identifier())
    actions: Mapped[str] = mapped_column(String(64))
    create_time: Mapped[datetime] = mapped_column(UtcTimestamp)
    expire_time: Mapped[datetime | None] = mapped_column(UtcTimestamp)
    last_use_time: Mapped[datetime | None] = mapped_column(UtcTimestamp)
    etag: Mapped[str] = mapped_column(String(32))


class IdentityRow(Base):
    """An account of another provider, and whose it is; goes with its user."""

    __tablename__ = "identities"

    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.user_id", ondelete="CASCADE"), index=True
    )


class StartedLoginRow(Base):
    """A login under way with another provider."""

    __tablename__ = "started_logins"

    state_digest: Mapped[str] = mapped_column(String(43), primary_key=True)
    handle_digest: Mapped[str] = mapped_column(String(43))
    provider_id: Mapped[str] = mapped_column(_identifier())
    redirect_uri: Mapped[str] = mapped_column(String(2048))
    expire_time: Mapped[datetime] = mapped_column(UtcTimestamp, index=True)
    origin_digest: Mapped[str] = mapped_column(String(43), server_default="", index=True)


class AttemptRow(Base):
    """Counts wrong passwords; `key` is a digest and names nobody."""

    __tablename__ = "attempts"

    key: Mapped[str] = mapped_column(String(43), primary_key=True)
    failures: Mapped[int]
    last_failure: Mapped[datetime] = mapped_column(UtcTimestamp, index=True)
    blocked_until: Mapped[datetime | None] = mapped_column(UtcTimestamp)


class RevocationRow(Base):
    """Ends the tokens about a subject; see `mesh.revocations`.

    A change gives a row a new `sequence`.
    """

    __tablename__ = "revocations"

    sequence: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    subject: Mapped[str] = mapped_column(String(256), index=True, unique=True)
    issued_before: Mapped[datetime] = mapped_column(UtcTimestamp)
    expire_time: Mapped[datetime] = mapped_column(UtcTimestamp, index=True)


class PolicyRow(Base):
    """One version of the policy; `document` is JSON. Rows are only added."""

    __tablename__ = "policies"
    __table_args__ = (CheckConstraint("version >= 1", name="version_at_least_one"),)

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(String(160))
    create_time: Mapped[datetime] = mapped_column(UtcTimestamp)


class QuotaRow(Base):
    """Limits of a project or a user that differ from the defaults; goes with either of them."""

    __tablename__ = "quotas"

    subject: Mapped[str] = mapped_column(String(128), primary_key=True)
    project_id: Mapped[str | None] = mapped_column(
        ForeignKey("projects.project_id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[str | None] = mapped_column(
        ForeignKey("users.user_id", ondelete="CASCADE"), index=True
    )
    granted: Mapped[dict[str, int]] = mapped_column(JSON)
    chosen: Mapped[dict[str, int]] = mapped_column(JSON)
    version: Mapped[int]
    etag: Mapped[str] = mapped_column(String(32))
    update_time: Mapped[datetime] = mapped_column(UtcTimestamp)


IDEMPOTENCY_KEYS = idempotency_table(Base.metadata)
