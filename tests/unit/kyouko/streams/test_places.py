"""Places for streams: of the machine, and the part of it that guests may take."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from kyouko.domain.quotas import Quotas
from kyouko.domain.streams.places import Place, Places
from mesh.access import Principal, Role
from mesh.errors import ResourceExhausted
from mesh.quota_counts import QuotaCounts
from mesh.quotas import QuotaBook
from tests import factories

MEMBER = factories.principal("users/alice", garden=Role.MEMBER)
GUEST = factories.principal("users/joe")


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Give back all places at the end."""
    async with AsyncExitStack() as entered:
        yield entered


def places_of(streams: int, memory_bytes: int = 100) -> Places:
    """Return places under the shipped quotas."""
    quotas = Quotas.over(QuotaCounts(QuotaBook()))
    return Places(quotas, streams=streams, memory_bytes=memory_bytes)


async def take(stack: AsyncExitStack, places: Places, who: Principal, project: str) -> Place:
    """Take a place until the stack ends."""
    return await stack.enter_async_context(places.taken(project, who))


async def test_guests_of_all_projects_leave_room_for_members(stack: AsyncExitStack) -> None:
    """A quarter of all places is theirs, wherever they are guests; members take all others."""
    places = places_of(8)
    for project in ("garden", "kitchen"):
        await take(stack, places, GUEST, project)

    with pytest.raises(ResourceExhausted) as of_guest:
        await take(stack, places, GUEST, "cellar")
    for _ in range(6):
        await take(stack, places, MEMBER, "garden")
    with pytest.raises(ResourceExhausted) as of_member:
        await take(stack, places, MEMBER, "garden")

    told = [(error.value.reason, error.value.metadata) for error in (of_guest, of_member)]
    assert [("LIMIT_REACHED", {"limit": "2"}), ("LIMIT_REACHED", {"limit": "8"})] == told


async def test_places_come_back() -> None:
    """One that is given back is free, for guests and members."""
    places = places_of(1)

    for who in (GUEST, MEMBER, GUEST):
        async with places.taken("garden", who):
            with pytest.raises(ResourceExhausted):
                async with places.taken("garden", MEMBER):
                    pass


async def test_rows_of_guests_take_a_part_of_the_memory(stack: AsyncExitStack) -> None:
    """Guests who hold it all wait for one another; members take frames."""
    places = places_of(8, memory_bytes=100)
    first, second = [await take(stack, places, GUEST, "garden") for _ in range(2)]
    member = await take(stack, places, MEMBER, "garden")
    member.share.add(1)

    first.share.add(24)
    below = (first.share.may_grow, member.share.may_grow)
    second.share.add(1)
    full = (first.share.may_grow, second.share.may_grow, member.share.may_grow)
    second.share.close()
    after = first.share.may_grow
    member.share.add(80)

    assert ((True, True), (False, False, True), True) == (below, full, after)
    assert (False, False) == (first.share.may_grow, member.share.may_grow)
