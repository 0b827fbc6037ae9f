"""What the rows of the directory hold."""

from mesh.access import Role
from misaki.domain.model import Member, Project, User
from misaki.storage.models import MemberRow, ProjectRow, UserRow


def user_in(row: UserRow) -> User:
    """Return the user that a row holds."""
    return User(
        user_id=row.user_id,
        display_name=row.display_name,
        admin=row.admin,
        create_time=row.create_time,
        etag=row.etag,
        uid=row.uid,
        disabled=row.disabled,
    )


def project_in(row: ProjectRow) -> Project:
    """Return the project that a row holds."""
    return Project(
        project_id=row.project_id,
        display_name=row.display_name,
        creator_id=row.creator_id,
        create_time=row.create_time,
        etag=row.etag,
    )


def member_in(row: MemberRow) -> Member:
    """Return the membership that a row holds."""
    return Member(
        project_id=row.project_id,
        user_id=row.user_id,
        role=Role(row.role),
        create_time=row.create_time,
        etag=row.etag,
    )
