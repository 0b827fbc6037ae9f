"""Who may see and change limits, and which count."""

import pytest

from mesh.access import Caller, Role
from mesh.access_messages import change_message, change_of
from mesh.access_state import AccessState
from mesh.errors import Aborted, InvalidArgument, NotFound, PermissionDenied
from mesh.quotas import PROJECT_DEFAULTS, SHIPPED_DEFAULTS, USER_DEFAULTS, Quota
from misaki.domain.access_news import AccessNews
from misaki.domain.quota_record import UNCHANGED
from misaki.domain.quotas import MOST, Quotas
from misaki.ports import NewId
from tests import factories
from tests.contract.misaki.in_memory import InMemoryDirectory
from tests.unit.misaki.conftest import SettableClock

GARDEN = "projects/garden"
DEFAULT = PROJECT_DEFAULTS[Quota.NETWORKS]


def admin() -> Caller:
    """Return an admin."""
    return factories.caller(factories.principal("users/root", admin=True))


def project_admin() -> Caller:
    """Return an admin of the project."""
    return factories.caller(factories.principal(garden=Role.PROJECT_ADMIN))


@pytest.fixture
def own() -> AccessState:
    """Return what decides about calls of this process."""
    return AccessState()


@pytest.fixture
def news(directory: InMemoryDirectory, own: AccessState, clock: SettableClock) -> AccessNews:
    """Return what tells of changes."""

    async def key_ids() -> list[str]:
        return ["key"]

    return AccessNews(directory.access, own, directory.quota_news, clock=clock, key_ids=key_ids)


@pytest.fixture
async def quotas(
    directory: InMemoryDirectory, news: AccessNews, clock: SettableClock, new_id: NewId
) -> Quotas:
    """Return the limits of one project and one user, all default."""
    await directory.create_project(factories.project("garden"))
    await directory.create_user(factories.user("alice"), "hash")
    return Quotas(
        directory.quotas, directory, news, defaults=SHIPPED_DEFAULTS, clock=clock, new_id=new_id
    )


async def test_defaults_count_at_first(quotas: Quotas) -> None:
    """Nothing has to be set for all limits to count."""
    shown = await quotas.of_project(project_admin(), "garden")

    assert (PROJECT_DEFAULTS, PROJECT_DEFAULTS, UNCHANGED) == (
        shown.limits,
        shown.granted,
        shown.record.etag,
    )


async def test_project_admin_lowers_and_raises_up_to_what_is_granted(quotas: Quotas) -> None:
    """Below what is granted a project admin moves freely."""
    lowered = await quotas.update_project(
        project_admin(), "garden", {Quota.NETWORKS: 5}, etag=UNCHANGED
    )
    raised = await quotas.update_project(
        project_admin(), "garden", {Quota.NETWORKS: DEFAULT}, etag=lowered.record.etag
    )

    assert (5, DEFAULT) == (lowered.limits[Quota.NETWORKS], lowered.granted[Quota.NETWORKS])
    assert DEFAULT == raised.limits[Quota.NETWORKS]


async def test_project_admin_gets_no_more_than_granted(quotas: Quotas) -> None:
    """One beyond is refused with the limit; also when admins have granted less than the default."""
    await quotas.update_project(admin(), "garden", {Quota.STREAMS: 2}, etag="")

    for quota, granted in ((Quota.NETWORKS, DEFAULT), (Quota.STREAMS, 2)):
        with pytest.raises(PermissionDenied) as caught:
            await quotas.update_project(project_admin(), "garden", {quota: granted + 1}, etag="")

        assert ("ROLE_INSUFFICIENT", str(granted)) == (
            caught.value.reason,
            caught.value.metadata["limit"],
        )


async def test_admin_word_counts_at_once(quotas: Quotas) -> None:
    """What an admin sets replaces what a project admin has chosen, and may be above the default."""
    await quotas.update_project(project_admin(), "garden", {Quota.NETWORKS: 5}, etag="")

    shown = await quotas.update_project(admin(), "garden", {Quota.NETWORKS: 5000}, etag="")

    assert (5000, 5000) == (shown.limits[Quota.NETWORKS], shown.granted[Quota.NETWORKS])


async def test_limits_given_back_follow_what_is_above(quotas: Quotas) -> None:
    """None of a project admin is what is granted; of an admin the default."""
    await quotas.update_project(admin(), "garden", {Quota.NETWORKS: 50}, etag="")
    await quotas.update_project(project_admin(), "garden", {Quota.NETWORKS: 5}, etag="")

    back = {Quota.NETWORKS: None}
    granted = await quotas.update_project(project_admin(), "garden", back, etag="")
    default = await quotas.update_project(admin(), "garden", back, etag="")

    assert (50, DEFAULT) == (granted.limits[Quota.NETWORKS], default.limits[Quota.NETWORKS])


@pytest.mark.parametrize("limit", [-1, MOST + 1])
async def test_limits_are_whole_numbers_that_json_holds(quotas: Quotas, limit: int) -> None:
    """Negative and enormous limits are refused with their field."""
    with pytest.raises(InvalidArgument) as caught:
        await quotas.update_user(admin(), "alice", {Quota.STREAMS: limit}, etag="")

    assert "quota.limits.streams" == caught.value.metadata["field"]


async def test_stale_etag_changes_nothing(quotas: Quotas) -> None:
    """Who has not read the newest limits has to read them again."""
    await quotas.update_user(admin(), "alice", {Quota.STREAMS: 1}, etag=UNCHANGED)

    with pytest.raises(Aborted):
        await quotas.update_user(admin(), "alice", {Quota.STREAMS: 9}, etag=UNCHANGED)

    assert 1 == (await quotas.of_user(admin(), "alice")).limits[Quota.STREAMS]


async def test_people_see_their_own_limits_and_no_others(quotas: Quotas) -> None:
    """`me` and the own id work; another user is not there."""
    alice = factories.caller(factories.principal("users/alice"), any_principal=True)
    bob = factories.caller(factories.principal("users/bob"), any_principal=True)

    shown = [await quotas.of_user(alice, who) for who in ("me", "alice")]

    assert [USER_DEFAULTS, USER_DEFAULTS] == [one.limits for one in shown]
    with pytest.raises(NotFound):
        await quotas.of_user(bob, "alice")


async def test_strangers_learn_nothing_of_a_project(quotas: Quotas) -> None:
    """Who has no role in the project finds no limits of it, and changes none."""
    stranger = factories.caller(factories.principal("users/bob", meadow=Role.PROJECT_ADMIN))

    with pytest.raises(NotFound):
        await quotas.of_project(stranger, "garden")
    with pytest.raises(NotFound):
        await quotas.update_project(stranger, "garden", {Quota.NETWORKS: 1}, etag="")


async def test_missing_ones_have_no_limits(quotas: Quotas) -> None:
    """An admin who asks for a project or user that is not there is told so."""
    with pytest.raises(NotFound):
        await quotas.of_project(admin(), "meadow")
    with pytest.raises(NotFound):
        await quotas.update_user(admin(), "bob", {Quota.NETWORKS: 1}, etag="")


async def test_changes_get_around(quotas: Quotas, news: AccessNews, own: AccessState) -> None:
    """Own calls hear of a limit at once, watchers by message, and both of its end."""
    other = AccessState()
    watch = news.watch()
    other.apply(change_of(change_message(await anext(watch))))

    await quotas.update_project(project_admin(), "garden", {Quota.NETWORKS: 5}, etag="")
    other.apply(change_of(change_message(await anext(watch))))
    told = [state.quotas.limits_of(GARDEN)[Quota.NETWORKS] for state in (own, other)]
    await quotas.update_project(project_admin(), "garden", {Quota.NETWORKS: None}, etag="")
    other.apply(change_of(change_message(await anext(watch))))

    assert [5, 5] == told
    assert DEFAULT == other.quotas.limits_of(GARDEN)[Quota.NETWORKS]
    await watch.aclose()  # type: ignore[attr-defined]  # it is a generator
