"""What every directory has to do with projects and memberships."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from mesh.access import Role
from mesh.errors import Aborted, AlreadyExists, NotFound, ResourceExhausted
from mesh.revocations import Revocation
from misaki.domain.model import Member
from misaki.ports import Directory
from tests import factories
from tests.contract.misaki.conftest import Stores


async def test_project_comes_back_as_stored(directory: Directory) -> None:
    """A project read again equals the one stored."""
    garden = factories.project("garden")

    await directory.create_project(garden)

    assert garden == await directory.get_project("garden")


async def test_project_id_is_unique(directory: Directory) -> None:
    """The second project of an id is refused."""
    await directory.create_project(factories.project("garden"))

    with pytest.raises(AlreadyExists) as caught:
        await directory.create_project(factories.project("garden"))

    assert {"resource": "projects/garden"} == caught.value.metadata


async def test_unknown_project_is_not_found(directory: Directory) -> None:
    """Reading an unknown project says so by name."""
    with pytest.raises(NotFound) as caught:
        await directory.get_project("nowhere")

    assert {"resource": "projects/nowhere"} == caught.value.metadata


async def test_project_lists_hold_only_those_asked_for(directory: Directory) -> None:
    """`among` limits a list; unknown ids in it are nothing, and None means all."""
    for project_id in ("b-two", "a-one", "c-three"):
        await directory.create_project(factories.project(project_id))

    some = await directory.list_projects(after="", limit=9, among={"c-three", "a-one", "gone"})
    none = await directory.list_projects(after="", limit=9, among=())
    everything = await directory.list_projects(after="", limit=9)

    assert ["a-one", "c-three"] == [project.project_id for project in some]
    assert [] == list(none)
    assert ["a-one", "b-two", "c-three"] == [project.project_id for project in everything]


async def test_project_lists_go_on_after_a_key(directory: Directory) -> None:
    """A list begins behind the given key and keeps to its limit."""
    for project_id in ("aa", "bb", "cc", "dd"):
        await directory.create_project(factories.project(project_id))

    page = await directory.list_projects(after="aa", limit=2)

    assert ["bb", "cc"] == [project.project_id for project in page]


async def test_deleting_a_project_takes_memberships_along(directory: Directory) -> None:
    """A deleted project is in nobody's roles."""
    await directory.create_user(factories.user("alice"), "hash")
    await directory.create_project(factories.project("garden"))
    await directory.create_member(factories.member("garden", "alice"), limit=9)

    await directory.delete_project("garden", etag="", delete_time=factories.NOON)

    assert {} == await directory.roles_of("alice")
    with pytest.raises(NotFound):
        await directory.get_project("garden")


async def test_deleted_project_is_listed_no_more(directory: Directory) -> None:
    """Neither lists of all projects nor of some hold a deleted one, and it has no members."""
    await directory.create_user(factories.user("alice"), "hash")
    await directory.create_project(factories.project("garden"))

    await directory.delete_project("garden", etag="", delete_time=factories.NOON)

    assert [] == list(await directory.list_projects(after="", limit=9))
    assert [] == list(await directory.list_projects(after="", limit=9, among={"garden"}))
    with pytest.raises(NotFound):
        await directory.list_members("garden", after="", limit=9)
    with pytest.raises(NotFound) as caught:
        await directory.create_member(factories.member("garden", "alice"), limit=9)
    assert {"resource": "projects/garden"} == caught.value.metadata
    assert {} == await directory.roles_of("alice")


async def test_project_id_never_comes_back(directory: Directory) -> None:
    """The id of a deleted project is refused with the reason why, however often."""
    await directory.create_project(factories.project("garden"))
    await directory.delete_project("garden", etag="", delete_time=factories.NOON)

    refusals = []
    for _ in range(2):
        with pytest.raises(AlreadyExists, match="deleted project, and ids") as caught:
            await directory.create_project(factories.project("garden"))
        refusals.append((caught.value.reason, caught.value.metadata))

    assert [("RESOURCE_EXISTS", {"resource": "projects/garden"})] * 2 == refusals
    with pytest.raises(NotFound):
        await directory.get_project("garden")
    with pytest.raises(NotFound):
        await directory.delete_project("garden", etag="", delete_time=factories.NOON)


async def test_nobody_joins_while_the_project_is_deleted(directory: Directory) -> None:
    """Whichever of the two comes first, nobody has a role in a deleted project."""
    await directory.create_user(factories.user("alice"), "hash")
    for number in range(5):
        project_id = f"garden-{number}"
        await directory.create_project(factories.project(project_id))

        await asyncio.gather(
            directory.create_member(factories.member(project_id, "alice"), limit=9),
            directory.delete_project(project_id, etag="", delete_time=factories.NOON),
            return_exceptions=True,
        )

        with pytest.raises(NotFound):
            await directory.get_project(project_id)
        assert {} == await directory.roles_of("alice")


async def test_stale_etag_keeps_the_project(directory: Directory) -> None:
    """A delete with another etag than the project's changes nothing; the right one deletes."""
    await directory.create_project(factories.project("garden", etag="now"))

    with pytest.raises(Aborted) as caught:
        await directory.delete_project("garden", etag="before", delete_time=factories.NOON)
    await directory.delete_project("garden", etag="now", delete_time=factories.NOON)

    assert {"resource": "projects/garden", "etag": "before"} == caught.value.metadata
    with pytest.raises(NotFound):
        await directory.delete_project("garden", etag="now", delete_time=factories.NOON)


async def test_member_comes_back_as_stored(directory: Directory) -> None:
    """A membership listed again equals the one stored."""
    await directory.create_user(factories.user("alice"), "hash")
    await directory.create_project(factories.project("garden"))
    member = factories.member("garden", "alice", Role.VIEWER)

    await directory.create_member(member, limit=9)

    assert [member] == list(await directory.list_members("garden", after="", limit=10))


async def test_membership_is_unique(directory: Directory) -> None:
    """A user has one role in a project; the second is refused and the first stays."""
    await directory.create_user(factories.user("alice"), "hash")
    await directory.create_project(factories.project("garden"))
    await directory.create_member(factories.member("garden", "alice", Role.VIEWER), limit=9)

    with pytest.raises(AlreadyExists) as caught:
        await directory.create_member(
            factories.member("garden", "alice", Role.PROJECT_ADMIN), limit=9
        )

    assert {"resource": "projects/garden/members/alice"} == caught.value.metadata
    assert {"garden": Role.VIEWER} == await directory.roles_of("alice")


async def test_user_has_no_more_memberships_than_allowed(directory: Directory) -> None:
    """The one too many is refused, also of two at once; another user's count for nothing."""
    for user_id in ("alice", "bob"):
        await directory.create_user(factories.user(user_id), "hash")
    for project_id in ("aa", "bb", "cc", "dd"):
        await directory.create_project(factories.project(project_id))
    await directory.create_member(factories.member("aa", "alice"), limit=2)
    await directory.create_member(factories.member("aa", "bob"), limit=2)

    results = await asyncio.gather(
        *(
            directory.create_member(factories.member(project_id, "alice"), limit=2)
            for project_id in ("bb", "cc", "dd")
        ),
        return_exceptions=True,
    )

    refused = [error for error in results if isinstance(error, ResourceExhausted)]
    assert ["LIMIT_REACHED"] * 2 == [error.reason for error in refused]
    assert {"resource": "users/alice", "limit": "2"} == refused[0].metadata
    assert 2 == len(await directory.roles_of("alice"))


async def test_membership_needs_user_and_project(directory: Directory) -> None:
    """A membership of somebody or something unknown names what is missing."""
    await directory.create_user(factories.user("alice"), "hash")
    await directory.create_project(factories.project("garden"))

    with pytest.raises(NotFound) as without_user:
        await directory.create_member(factories.member("garden", "nobody"), limit=9)
    with pytest.raises(NotFound) as without_project:
        await directory.create_member(factories.member("nowhere", "alice"), limit=9)

    assert {"resource": "users/nobody"} == without_user.value.metadata
    assert {"resource": "projects/nowhere"} == without_project.value.metadata


async def test_member_lists_go_on_after_a_key(directory: Directory) -> None:
    """Members are listed by user id, from behind the key, up to the limit."""
    await directory.create_project(factories.project("garden"))
    for user_id in ("carol", "alice", "bob", "dave"):
        await directory.create_user(factories.user(user_id), "hash")
        await directory.create_member(factories.member("garden", user_id), limit=9)

    page = await directory.list_members("garden", after="alice", limit=2)

    assert ["bob", "carol"] == [member.user_id for member in page]


async def test_members_of_an_unknown_project_are_not_found(directory: Directory) -> None:
    """A list of the members of nothing is an error, not an empty list."""
    with pytest.raises(NotFound):
        await directory.list_members("nowhere", after="", limit=10)


async def test_deleted_member_is_gone(directory: Directory) -> None:
    """A deleted membership grants nothing, and deleting it again says so."""
    await directory.create_user(factories.user("alice"), "hash")
    await directory.create_project(factories.project("garden"))
    await directory.create_member(factories.member("garden", "alice"), limit=9)

    await directory.delete_member("garden", "alice")

    assert {} == await directory.roles_of("alice")
    with pytest.raises(NotFound) as caught:
        await directory.delete_member("garden", "alice")
    assert {"resource": "projects/garden/members/alice"} == caught.value.metadata


async def test_changed_project_is_read_back(directory: Directory) -> None:
    """Name and etag change; a stale etag changes nothing, a missing project is not found."""
    await directory.create_project(factories.project("garden"))

    changed = await directory.update_project(
        "garden", display_name="Park", etag="e1", new_etag="e2"
    )
    with pytest.raises(Aborted):
        await directory.update_project("garden", display_name="X", etag="e1", new_etag="e3")
    with pytest.raises(NotFound):
        await directory.update_project("kitchen", display_name="X", etag="", new_etag="e3")

    expected = replace(factories.project("garden", etag="e2"), display_name="Park")
    assert expected == changed == await directory.get_project("garden")


async def test_deleted_project_is_not_changed(directory: Directory) -> None:
    """What only keeps an id cannot be renamed."""
    await directory.create_project(factories.project("garden"))
    await directory.delete_project("garden", etag="", delete_time=factories.NOON)

    with pytest.raises(NotFound):
        await directory.update_project("garden", display_name="X", etag="", new_etag="e3")


async def test_changed_member_is_read_back(stores: Stores) -> None:
    """Role and etag change together with the revocation; a stale etag changes nothing."""
    directory = stores.directory
    await directory.create_user(factories.user("alice"), "hash")
    await directory.create_project(factories.project("garden"))
    await directory.create_member(factories.member("garden", "alice"), limit=9)
    revocation = Revocation("users/alice", factories.NOON, factories.NOON + timedelta(minutes=1))

    async def update(user_id: str, etag: str) -> Member:
        return await directory.update_member(
            "garden",
            user_id,
            role=Role.VIEWER,
            etag=etag,
            new_etag="e2",
            revocations_of=factories.revocations_of,
        )

    with pytest.raises(Aborted):
        await update("alice", "stale")
    with pytest.raises(NotFound):
        await update("nobody", "")
    changed = await update("alice", "first")

    expected = replace(factories.member("garden", "alice", Role.VIEWER), etag="e2")
    assert (
        [expected] == [changed] == list(await directory.list_members("garden", after="", limit=9))
    )
    assert [revocation] == stores.announced


async def test_deleted_project_ends_what_speaks_of_it(stores: Stores) -> None:
    """Members' tokens and narrowed sessions end in the same transaction, and only theirs."""
    directory = stores.directory
    for user_id in ("alice", "bob", "carol"):
        await directory.create_user(factories.user(user_id), "hash")
        await stores.sessions.create_session(
            factories.session(f"s-{user_id}", user_id), factories.credentials(user_id)
        )
    await directory.create_project(factories.project("garden"))
    for user_id in ("alice", "bob"):
        await directory.create_member(factories.member("garden", user_id), limit=9)
    await stores.sessions.create_session(
        factories.session("narrow", "bob", "garden"), factories.credentials("bob")
    )

    await directory.delete_project(
        "garden",
        etag="",
        delete_time=factories.NOON,
        revocations_of=lambda subjects: [
            Revocation(subject, factories.NOON, factories.NOON) for subject in subjects
        ],
    )

    subjects = {revocation.subject for revocation in stores.announced}
    assert {"users/alice", "users/bob", "sessions/narrow"} == subjects
    assert await stores.sessions.find_session("narrow") is None
    assert await stores.sessions.find_session("s-bob") is not None
