"""Accounts of other providers in SQL; see `misaki.ports.IdentityStore`."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, func, insert, literal, select
from sqlalchemy.exc import IntegrityError

from mesh.database import Database
from mesh.errors import AlreadyExists, NotFound
from misaki.domain.model import User, user_name
from misaki.domain.provider_logins import too_many_logins
from misaki.ports import StartedLogin
from misaki.storage.models import IdentityRow, StartedLoginRow, UserRow


class SqlIdentityStore:
    """Keeps which account is which user, and the logins under way."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start_login(self, login: StartedLogin, *, of_origin: int, in_all: int) -> None:
        """Keep a login under way."""
        values = asdict(login)
        columns = StartedLoginRow.__table__.c
        rows = select(func.count()).select_from(StartedLoginRow)
        of_same = rows.where(StartedLoginRow.origin_digest == login.origin_digest)
        # On PostgreSQL some that start at once do not count each other, as many as there are
        # connections: nobody is made to wait for that.
        if_there_is_room = (
            select(*(literal(value, columns[key].type) for key, value in values.items()))
            .where(of_same.scalar_subquery() < of_origin)
            .where(rows.scalar_subquery() < in_all)
        )
        statement = insert(StartedLoginRow).from_select(list(values), if_there_is_room)
        async with self._database.session() as session:
            kept = await session.scalar(statement.returning(StartedLoginRow.state_digest))
            if kept is None:
                raise too_many_logins()

    async def take_login(self, state_digest: str) -> StartedLogin | None:
        """Return a login under way and forget it."""
        statement = delete(StartedLoginRow).where(StartedLoginRow.state_digest == state_digest)
        async with self._database.session() as session:
            row = (
                await session.execute(
                    statement.returning(
                        StartedLoginRow.state_digest,
                        StartedLoginRow.handle_digest,
                        StartedLoginRow.provider_id,
                        StartedLoginRow.redirect_uri,
                        StartedLoginRow.expire_time,
                        StartedLoginRow.origin_digest,
                    )
                )
            ).first()
        return None if row is None else StartedLogin(*row)

    async def forget_logins(self, *, now: datetime) -> None:
        """Delete the logins that took too long."""
        async with self._database.session() as session:
            await session.execute(delete(StartedLoginRow).where(StartedLoginRow.expire_time <= now))

    async def find_identity(self, issuer: str, subject: str) -> str | None:
        """Return the id of the user that an account belongs to."""
        query = select(IdentityRow.user_id).where(
            IdentityRow.issuer == issuer, IdentityRow.subject == subject
        )
        async with self._database.session() as session:
            return await session.scalar(query)

    async def link_identity(self, issuer: str, subject: str, user_id: str) -> None:
        """Let an account belong to a user."""
        try:
            async with self._database.session() as session:
                session.add(IdentityRow(issuer=issuer, subject=subject, user_id=user_id))
        except IntegrityError as error:
            async with self._database.session() as session:
                if await session.get(UserRow, user_id) is None:
                    raise NotFound(user_name(user_id)) from error
            # Two first logins at once have linked the same.
            if await self.find_identity(issuer, subject) != user_id:
                raise AlreadyExists(user_name(user_id)) from error

    async def create_linked_user(self, user: User, issuer: str, subject: str) -> None:
        """Store a new user to whom an account belongs."""
        row = UserRow(
            user_id=user.user_id,
            uid=user.uid,
            display_name=user.display_name,
            admin=user.admin,
            password_hash="",
            create_time=user.create_time,
            etag=user.etag,
            disabled=user.disabled,
        )
        try:
            async with self._database.session() as session:
                session.add(row)
                await session.flush()
                session.add(IdentityRow(issuer=issuer, subject=subject, user_id=user.user_id))
        except IntegrityError as error:
            raise AlreadyExists(user.name) from error
