"""Who may create, read and change projects and memberships."""

import pytest

from mesh.access import Caller, Role
from mesh.errors import InvalidArgument, NotFound, PermissionDenied
from misaki.domain.projects import Projects
from misaki.domain.revocations import Revoker
from misaki.ports import NewId
from tests import factories
from tests.contract.misaki.in_memory import InMemoryDirectory
from tests.unit.misaki.conftest import SettableClock

READERS = frozenset({Role.ADMIN, Role.PROJECT_ADMIN, Role.MEMBER, Role.VIEWER})
MANAGERS = frozenset({Role.ADMIN, Role.PROJECT_ADMIN})


@pytest.fixture
def projects(
    directory: InMemoryDirectory, revoker: Revoker, clock: SettableClock, new_id: NewId
) -> Projects:
    """Return the rules over an empty directory."""
    return Projects(directory, revoker, clock=clock, new_id=new_id)


@pytest.fixture
async def garden(directory: InMemoryDirectory) -> InMemoryDirectory:
    """Return a directory with two projects and a user."""
    await directory.create_user(factories.user("bob"), "hash")
    await directory.create_project(factories.project("garden"))
    await directory.create_project(factories.project("kitchen"))
    return directory


def somebody(role: Role | None = None, *, rule: frozenset[Role] = READERS) -> Caller:
    """Return a user with a role in the garden."""
    who = factories.principal(garden=role) if role else factories.principal()
    return factories.caller(who, roles=rule)


def admin(*, rule: frozenset[Role] = READERS) -> Caller:
    """Return an admin of the installation."""
    return factories.caller(factories.principal("users/root", admin=True), roles=rule)


async def test_created_project_names_its_creator(projects: Projects) -> None:
    """Time, etag and creator come from the call."""
    created = await projects.create(admin(), project_id="garden", display_name="The garden")

    expected = ("garden", "The garden", "root", factories.NOON, "id-1")
    assert expected == (
        created.project_id,
        created.display_name,
        created.creator_id,
        created.create_time,
        created.etag,
    )


@pytest.mark.parametrize("role", [Role.PROJECT_ADMIN, Role.MEMBER, Role.VIEWER])
async def test_members_read_their_project(
    projects: Projects, garden: InMemoryDirectory, role: Role
) -> None:
    """Every role in a project may read it."""
    assert factories.project("garden") == await projects.get(somebody(role), "garden")


async def test_foreign_project_looks_missing(projects: Projects, garden: InMemoryDirectory) -> None:
    """A project without a role for the caller answers like one that does not exist."""
    with pytest.raises(NotFound) as foreign:
        await projects.get(somebody(Role.PROJECT_ADMIN), "kitchen")
    with pytest.raises(NotFound) as missing:
        await projects.get(somebody(Role.PROJECT_ADMIN), "nowhere")

    assert missing.value.message.replace("nowhere", "kitchen") == foreign.value.message


async def test_lists_hold_own_projects(projects: Projects, garden: InMemoryDirectory) -> None:
    """A user sees projects with a role, an admin all, a stranger none."""
    everybody = frozenset[Role]()
    member = factories.caller(
        factories.principal(garden=Role.VIEWER), roles=everybody, any_principal=True
    )
    stranger = factories.caller(factories.principal(), roles=everybody, any_principal=True)

    own = await projects.list(member, after="", limit=10)
    none = await projects.list(stranger, after="", limit=10)
    everything = await projects.list(admin(), after="", limit=10)

    assert ["garden"] == [project.project_id for project in own]
    assert [] == list(none)
    assert ["garden", "kitchen"] == [project.project_id for project in everything]


async def test_managers_add_and_remove_members(
    projects: Projects, garden: InMemoryDirectory
) -> None:
    """A project admin gives and takes roles in the own project."""
    manager = somebody(Role.PROJECT_ADMIN, rule=MANAGERS)

    added = await projects.add_member(manager, project_id="garden", user_id="bob", role=Role.VIEWER)
    listed = await projects.list_members(manager, "garden", after="", limit=10)
    await projects.delete_member(manager, "garden", "bob")

    assert [added] == list(listed)
    assert {} == await garden.roles_of("bob")


async def test_managers_stay_out_of_other_projects(
    projects: Projects, garden: InMemoryDirectory
) -> None:
    """A project admin manages no other project, and is told that there is none."""
    manager = somebody(Role.PROJECT_ADMIN, rule=MANAGERS)

    with pytest.raises(NotFound):
        await projects.add_member(manager, project_id="kitchen", user_id="bob", role=Role.MEMBER)
    with pytest.raises(NotFound):
        await projects.list_members(manager, "kitchen", after="", limit=10)
    with pytest.raises(NotFound):
        await projects.delete_member(manager, "kitchen", "bob")

    assert {} == await garden.roles_of("bob")


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER])
async def test_members_do_not_manage(
    projects: Projects, garden: InMemoryDirectory, role: Role
) -> None:
    """A role in the project that the method does not name is refused openly."""
    caller = somebody(role, rule=MANAGERS)

    with pytest.raises(PermissionDenied):
        await projects.add_member(caller, project_id="garden", user_id="bob", role=Role.VIEWER)
    with pytest.raises(PermissionDenied):
        await projects.delete_member(caller, "garden", "bob")

    assert {} == await garden.roles_of("bob")


@pytest.mark.parametrize("role", [Role.ADMIN, Role.SERVICE])
async def test_global_roles_are_no_membership(
    projects: Projects, garden: InMemoryDirectory, role: Role
) -> None:
    """Nobody becomes admin of the installation or a service through a project."""
    with pytest.raises(InvalidArgument):
        await projects.add_member(
            somebody(Role.PROJECT_ADMIN), project_id="garden", user_id="bob", role=role
        )

    assert {} == await garden.roles_of("bob")


async def test_only_admins_create_and_delete_projects(
    projects: Projects, garden: InMemoryDirectory
) -> None:
    """A project admin neither makes projects nor deletes the own one."""
    caller = somebody(Role.PROJECT_ADMIN, rule=frozenset({Role.ADMIN}))

    with pytest.raises(PermissionDenied):
        await projects.create(caller, project_id="shed", display_name="")
    with pytest.raises(PermissionDenied):
        await projects.delete(caller, "garden", etag="")

    assert factories.project("garden") == await garden.get_project("garden")


async def test_admins_delete_projects(projects: Projects, garden: InMemoryDirectory) -> None:
    """An admin deletes any project."""
    await projects.delete(admin(), "garden", etag="")

    with pytest.raises(NotFound):
        await garden.get_project("garden")


async def test_project_admins_rename_their_project(
    projects: Projects, garden: InMemoryDirectory
) -> None:
    """The name changes, the etag too; a project of others looks missing."""
    caller = somebody(Role.PROJECT_ADMIN, rule=MANAGERS)

    changed = await projects.update(caller, "garden", display_name="Park", etag="e1")
    with pytest.raises(NotFound):
        await projects.update(caller, "kitchen", display_name="Park", etag="")
    with pytest.raises(PermissionDenied):
        await projects.update(
            somebody(Role.MEMBER, rule=MANAGERS), "garden", display_name="Mine", etag=""
        )

    assert ("Park", "id-1") == (changed.display_name, changed.etag)
    assert changed == await garden.get_project("garden")


async def test_changed_role_ends_tokens_in_use(
    projects: Projects, garden: InMemoryDirectory
) -> None:
    """The next token has the new role, and the old ones are taken back."""
    await garden.create_member(factories.member("garden", "bob", Role.MEMBER), limit=9)
    caller = somebody(Role.PROJECT_ADMIN, rule=MANAGERS)

    member = await projects.update_member(caller, "garden", "bob", role=Role.VIEWER, etag="first")

    assert (Role.VIEWER, "id-1") == (member.role, member.etag)
    assert {"garden": Role.VIEWER} == await garden.roles_of("bob")
    assert ["users/bob"] == [revocation.subject for revocation in garden.access.recorded]


async def test_members_get_no_role_of_the_installation(
    projects: Projects, garden: InMemoryDirectory
) -> None:
    """ADMIN and SERVICE are no roles of a project, by an update neither."""
    await garden.create_member(factories.member("garden", "bob", Role.MEMBER), limit=9)

    with pytest.raises(InvalidArgument):
        await projects.update_member(
            admin(rule=MANAGERS), "garden", "bob", role=Role.ADMIN, etag=""
        )


async def test_deleted_project_ends_the_tokens_of_its_members(
    projects: Projects, garden: InMemoryDirectory
) -> None:
    """Nobody's token speaks of a project that is gone; logins narrowed to it end."""
    await garden.create_member(factories.member("garden", "bob"), limit=9)
    await garden.sessions.create_session(
        factories.session("s1", "bob", "garden"), factories.credentials("bob")
    )
    await garden.sessions.create_session(
        factories.session("s2", "bob", "kitchen"), factories.credentials("bob")
    )

    await projects.delete(admin(), "garden", etag="")

    subjects = [revocation.subject for revocation in garden.access.recorded]
    assert ["users/bob", "sessions/s1"] == subjects
    assert await garden.sessions.find_session("s1") is None
    assert await garden.sessions.find_session("s2") is not None
