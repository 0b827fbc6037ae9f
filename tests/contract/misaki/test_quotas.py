"""What every store of limits has to do."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from mesh.quotas import Quota
from misaki.domain.quota_record import UNCHANGED, QuotaRecord
from misaki.ports import Directory, QuotaStore
from tests import factories

GARDEN = "projects/garden"
ALICE = "users/alice"


def record(subject: str = GARDEN, etag: str = "e1", *, minutes: int = 0) -> QuotaRecord:
    """Return limits of a project or a user, changed some minutes after noon."""
    return QuotaRecord(
        subject,
        granted={Quota.NETWORKS: 7, Quota.DATASET_BYTES: 2**50},
        chosen={Quota.NETWORKS: 3},
        etag=etag,
        update_time=factories.NOON + timedelta(minutes=minutes, microseconds=7),
    )


@pytest.fixture(autouse=True)
async def subjects(directory: Directory) -> None:
    """Make a project and a user."""
    await directory.create_project(factories.project("garden"))
    await directory.create_user(factories.user("root", admin=True), "hash")
    await directory.create_user(factories.user("alice"), "hash")


async def test_limits_are_none_of_their_own_at_first(quotas: QuotaStore) -> None:
    """Who has none stored has an empty record, and is not listed."""
    assert QuotaRecord(GARDEN) == await quotas.quota(GARDEN)
    assert [] == list(await quotas.quotas())


async def test_limits_come_back_as_stored(quotas: QuotaStore) -> None:
    """All is kept, for projects and users, in the order of names."""
    stored = [await quotas.replace_quota(r, before=UNCHANGED) for r in (record(ALICE), record())]

    assert [True, True] == stored
    assert record() == await quotas.quota(GARDEN)
    assert [record(), record(ALICE)] == list(await quotas.quotas())


async def test_only_limits_as_they_were_read_are_replaced(quotas: QuotaStore) -> None:
    """With another etag nothing is stored, be it an old one or none."""
    await quotas.replace_quota(record(), before=UNCHANGED)
    newer = replace(record(etag="e2"), chosen={})

    refused = [await quotas.replace_quota(newer, before=etag) for etag in (UNCHANGED, "e0")]
    before = await quotas.quota(GARDEN)
    taken = await quotas.replace_quota(newer, before="e1")

    assert [False, False] == refused
    assert record() == before
    assert taken
    assert newer == await quotas.quota(GARDEN)


async def test_of_changes_at_once_one_is_made(quotas: QuotaStore) -> None:
    """Two who read the same state cannot both replace it."""
    await quotas.replace_quota(record(), before=UNCHANGED)

    taken = await asyncio.gather(
        *(quotas.replace_quota(record(etag=f"n{i}"), before="e1") for i in range(4))
    )

    assert [False, False, False, True] == sorted(taken)


@pytest.mark.parametrize("subject", ["projects/nowhere", "users/nobody"])
async def test_who_does_not_exist_gets_no_limits(quotas: QuotaStore, subject: str) -> None:
    """Nothing is stored for a project or user that is not there."""
    assert not await quotas.replace_quota(record(subject), before=UNCHANGED)
    assert [] == list(await quotas.quotas())


async def test_limits_go_with_their_user(quotas: QuotaStore, directory: Directory) -> None:
    """A later user of the same id begins with the defaults."""
    await quotas.replace_quota(record(ALICE), before=UNCHANGED)

    await directory.delete_user("alice", etag="")

    assert [] == list(await quotas.quotas())


async def test_mark_differs_after_every_change(quotas: QuotaStore, directory: Directory) -> None:
    """New limits, other limits and limits that are gone: all can be noticed."""
    marks = [await quotas.quota_mark()]
    await quotas.replace_quota(record(ALICE), before=UNCHANGED)
    marks.append(await quotas.quota_mark())
    await quotas.replace_quota(record(ALICE, "e2", minutes=1), before="e1")
    marks.append(await quotas.quota_mark())
    await quotas.replace_quota(record(minutes=2), before=UNCHANGED)
    marks.append(await quotas.quota_mark())
    await directory.delete_user("alice", etag="")
    marks.append(await quotas.quota_mark())

    assert len(marks) == len(set(marks))
