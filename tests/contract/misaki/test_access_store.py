"""What every store of revocations and policies has to do."""

import asyncio
from datetime import timedelta

import pytest

from mesh.access import Role
from mesh.errors import Aborted, NotFound
from mesh.revocations import Revocation
from misaki.domain.policy import PolicyVersion
from misaki.ports import AccessStore, Directory
from tests import factories
from tests.contract.misaki.conftest import Stores

SECOND = timedelta(seconds=1)
GET_USER = "/hanami.misaki.v1.UserService/GetUser"


def revocation(subject: str = "users/alice", *, seconds: int = 0) -> Revocation:
    """Return one made some seconds after noon, which lasts for a minute."""
    moment = factories.NOON + seconds * SECOND
    return Revocation(subject, moment, moment + 60 * SECOND)


def policy(version: int = 1, *roles: Role) -> PolicyVersion:
    """Return a version that leaves a method to some roles."""
    return PolicyVersion(version, {GET_USER: frozenset(roles)}, "users/root", factories.NOON)


async def test_revocations_come_back_as_recorded(access: AccessStore) -> None:
    """They come in the order of subjects, with microseconds and time zone."""
    recorded = [revocation("users/zoe"), revocation("tokens/t1", seconds=1)]
    recorded[1] = Revocation(
        "tokens/t1", recorded[1].issued_before + timedelta(microseconds=7), recorded[1].expire_time
    )

    await access.record_revocations(recorded)

    assert recorded[::-1] == list(await access.revocations(now=factories.NOON))


async def test_expired_revocations_are_neither_listed_nor_kept(access: AccessStore) -> None:
    """At its expire time a revocation is over, and forgetting removes it only."""
    await access.record_revocations([revocation(), revocation("users/bob", seconds=1)])
    now = factories.NOON + 60 * SECOND

    listed = await access.revocations(now=now)
    await access.forget_revocations(now=now)

    left = [revocation("users/bob", seconds=1)]
    assert left == list(listed)
    assert left == list(await access.revocations(now=factories.NOON))


async def test_one_revocation_of_a_subject_is_kept(access: AccessStore) -> None:
    """The one that reaches furthest, whichever was recorded last."""
    for seconds in (5, 3, 7, 7, 1):
        await access.record_revocations([revocation(seconds=seconds)])
        await access.record_revocations([revocation("users/bob", seconds=seconds)])

    kept = [revocation(seconds=7), revocation("users/bob", seconds=7)]
    assert kept == list(await access.revocations(now=factories.NOON))


async def test_one_of_many_revocations_at_once_is_kept(access: AccessStore) -> None:
    """Whoever records it, in whatever order, of each subject the furthest is left."""
    subjects = ["users/alice", "users/bob", "users/carol"]

    await asyncio.gather(
        *(
            access.record_revocations(
                [revocation(subject, seconds=number) for subject in subjects[:: 1 - number % 2 * 2]]
            )
            for number in range(8)
        )
    )

    furthest = [revocation(subject, seconds=7) for subject in subjects]
    assert furthest == list(await access.revocations(now=factories.NOON))


async def test_mark_tells_of_a_revocation_that_takes_the_place_of_another(
    access: AccessStore,
) -> None:
    """Also when one of somebody else reaches further."""
    await access.record_revocations([revocation(), revocation("users/bob", seconds=50)])
    before = await access.mark()

    await access.record_revocations([revocation(seconds=1)])

    assert before != await access.mark()


async def test_last_revocation_is_the_latest_of_any_subject(access: AccessStore) -> None:
    """Of several subjects the latest moment counts; of others none."""
    await access.record_revocations(
        [revocation(seconds=5), revocation(seconds=3), revocation("sessions/s", seconds=4)]
    )

    latest = [
        await access.last_revocation(subjects)
        for subjects in (["users/alice", "sessions/s"], ["sessions/s"], ["users/bob"], [])
    ]

    assert [5, 4, None, None] == [
        moment and int((moment - factories.NOON).total_seconds()) for moment in latest
    ]


async def test_mark_differs_after_every_change(access: AccessStore) -> None:
    """Recording, forgetting and a new policy are all seen by the mark alone."""
    marks = [await access.mark()]
    await access.record_revocations([revocation()])
    marks.append(await access.mark())
    await access.forget_revocations(now=factories.NOON + 60 * SECOND)
    await access.record_revocations([revocation(seconds=1)])
    marks.append(await access.mark())
    await access.add_policy(policy(1))
    marks.append(await access.mark())

    assert 4 == len(set(marks))
    assert marks[-1] == await access.mark()


async def test_deleted_projects_are_remembered(stores: Stores) -> None:
    """For ever, and the mark tells of each, also when it had no members."""
    for project_id in ("attic", "garden", "kitchen"):
        await stores.directory.create_project(factories.project(project_id))
    marks = [await stores.access.mark()]
    found = [await stores.access.deleted_projects()]

    for project_id in ("garden", "attic"):
        await stores.directory.delete_project(project_id, etag="", delete_time=factories.NOON)
        marks.append(await stores.access.mark())
        found.append(await stores.access.deleted_projects())

    assert [frozenset(), {"garden"}, {"attic", "garden"}] == found
    assert 3 == len(set(marks))


async def test_there_is_a_policy_from_the_beginning(access: AccessStore) -> None:
    """Version 0 changes nothing, and stays readable."""
    first = await access.policy()
    await access.add_policy(policy(1, Role.ADMIN))

    assert PolicyVersion(0) == first
    assert PolicyVersion(0) == await access.policy(0)


async def test_policies_come_back_newest_first(access: AccessStore) -> None:
    """Versions are read alone, as the newest, and in pages."""
    versions = [policy(1, Role.ADMIN), policy(2), policy(3, Role.MEMBER, Role.ADMIN)]
    for version in versions:
        await access.add_policy(version)

    assert versions[2] == await access.policy()
    assert versions[0] == await access.policy(1)
    assert versions[:0:-1] == list(await access.list_policies(before=None, limit=2))
    assert [versions[0]] == list(await access.list_policies(before=2, limit=9))


async def test_unknown_policy_is_not_found(access: AccessStore) -> None:
    """A version that never was has no content."""
    with pytest.raises(NotFound) as caught:
        await access.policy(7)

    assert {"resource": "policies/7"} == caught.value.metadata


@pytest.mark.parametrize("version", [1, 3])
async def test_only_the_next_version_is_taken(access: AccessStore, version: int) -> None:
    """Who has not seen the newest version is refused."""
    await access.add_policy(policy(1))

    with pytest.raises(Aborted) as caught:
        await access.add_policy(policy(version))

    assert "ETAG_MISMATCH" == caught.value.reason


async def test_of_two_changes_at_once_one_is_made(access: AccessStore) -> None:
    """Two admins who change the same version cannot overwrite one another."""
    outcomes = await asyncio.gather(
        access.add_policy(policy(1, Role.ADMIN)),
        access.add_policy(policy(1, Role.MEMBER)),
        return_exceptions=True,
    )

    assert [False, True] == sorted(isinstance(outcome, Aborted) for outcome in outcomes)


async def test_revocation_comes_with_the_change(stores: Stores) -> None:
    """A deleted user's revocation is stored and announced, each once."""
    await stores.directory.create_user(factories.user("alice"), "hash")

    await stores.directory.delete_user("alice", etag="", revocations_of=factories.revocations_of)

    assert [revocation()] == list(await stores.access.revocations(now=factories.NOON))
    assert [revocation()] == stores.announced


async def test_no_revocation_without_the_change(stores: Stores) -> None:
    """A change that fails takes no token back."""
    await stores.directory.create_user(factories.user("alice"), "hash")

    with pytest.raises(Aborted):
        await stores.directory.delete_user(
            "alice", etag="old", revocations_of=factories.revocations_of
        )
    with pytest.raises(NotFound):
        await stores.directory.delete_member(
            "garden", "alice", revocations_of=factories.revocations_of
        )

    assert [] == list(await stores.access.revocations(now=factories.NOON))
    assert [] == stores.announced


async def test_role_taken_away_comes_with_a_revocation(
    directory: Directory, access: AccessStore
) -> None:
    """Deleting a membership records what it is given."""
    await directory.create_user(factories.user("alice"), "hash")
    await directory.create_project(factories.project("garden"))
    await directory.create_member(factories.member("garden", "alice"), limit=9)

    await directory.delete_member("garden", "alice", revocations_of=factories.revocations_of)

    assert [revocation()] == list(await access.revocations(now=factories.NOON))
