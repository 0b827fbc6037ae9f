"""Logins in SQL; see `misaki.ports.SessionStore` for what each method promises."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, insert, literal, select, update

from mesh.database import Database
from misaki.domain.model import Credentials, Session
from misaki.domain.sessions import login_overtaken
from misaki.ports import RevocationsOf
from misaki.storage.access import Revoking
from misaki.storage.models import SessionRow, UserRow

# A script that logs in for every call must not fill the disk; whoever has more logins
# loses the one that was renewed longest ago.
SESSIONS_PER_USER = 1000


class SqlSessionStore:
    """Keeps logins in misaki's database."""

    def __init__(self, database: Database, revoking: Revoking) -> None:
        self._database = database
        self._revoking = revoking

    async def create_session(self, session: Session, credentials: Credentials) -> None:
        """Store a new session."""
        values = asdict(session)
        user = credentials.user
        # One statement, which locks the user: a change at the same time either comes first,
        # and then nothing fits any more, or finds the session and ends it.
        still_so = (
            select(
                *(literal(value, SessionRow.__table__.c[key].type) for key, value in values.items())
            )
            .where(UserRow.user_id == session.user_id, UserRow.uid == user.uid, ~UserRow.disabled)
            .where(UserRow.epoch == credentials.epoch)
            .with_for_update(key_share=True)
        )
        statement = insert(SessionRow).from_select(list(values), still_so)
        surplus = (
            select(SessionRow.session_id)
            .where(SessionRow.user_id == session.user_id)
            .order_by(SessionRow.renew_time.desc(), SessionRow.session_id)
            .offset(SESSIONS_PER_USER)
        )
        async with self._database.session() as database:
            stored = await database.scalar(statement.returning(SessionRow.session_id))
            if stored is None:
                raise login_overtaken()
            ids = (await database.scalars(surplus)).all()
            if ids:
                await database.execute(delete(SessionRow).where(SessionRow.session_id.in_(ids)))

    async def find_session(self, session_id: str) -> Session | None:
        """Return a session, or None."""
        async with self._database.session() as database:
            row = await database.get(SessionRow, session_id)
        return None if row is None else _session(row)

    async def renew_session(self, session: Session, *, generation: int) -> bool:
        """Store the next state of a session, if it is still of a certain generation."""
        statement = (
            update(SessionRow)
            .where(SessionRow.session_id == session.session_id)
            .where(SessionRow.generation == generation)
            .values(
                project_id=session.project_id,
                generation=session.generation,
                renew_time=session.renew_time,
                expire_time=session.expire_time,
            )
            .returning(SessionRow.session_id)
        )
        async with self._database.session() as database:
            found = await database.execute(
                statement, execution_options={"synchronize_session": False}
            )
            return found.first() is not None

    async def end_session(self, session_id: str, *, revocations_of: RevocationsOf) -> bool:
        """End a session."""
        statement = delete(SessionRow).where(SessionRow.session_id == session_id)
        async with self._revoking(revocations_of) as (database, ended):
            found = await database.execute(statement.returning(SessionRow.session_id))
            ended += [f"sessions/{found_id}" for found_id in found.scalars()]
        return bool(ended)

    async def list_sessions(self, user_id: str, *, after: str, limit: int) -> Sequence[Session]:
        """Return a user's sessions."""
        query = (
            select(SessionRow)
            .where(SessionRow.user_id == user_id, SessionRow.session_id > after)
            .order_by(SessionRow.session_id)
            .limit(limit)
        )
        async with self._database.session() as database:
            return [_session(row) for row in await database.scalars(query)]

    async def forget_sessions(self, *, now: datetime) -> None:
        """Delete the sessions whose last refresh token has ended."""
        async with self._database.session() as database:
            await database.execute(delete(SessionRow).where(SessionRow.expire_time <= now))


def _session(row: SessionRow) -> Session:
    return Session(
        session_id=row.session_id,
        user_id=row.user_id,
        project_id=row.project_id,
        generation=row.generation,
        create_time=row.create_time,
        renew_time=row.renew_time,
        expire_time=row.expire_time,
        origin=row.origin,
        client=row.client,
    )
