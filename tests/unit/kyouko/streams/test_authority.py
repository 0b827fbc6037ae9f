"""Who may talk on a stream, and until when."""

from dataclasses import replace

import pytest

from kyouko.domain.networks.network import NetworkEntry
from kyouko.domain.networks.seeing import SeenNetworks
from kyouko.domain.streams.authority import Authority
from mesh.access import Action, Caller, Principal, Role
from mesh.errors import DomainError, NotFound, PermissionDenied, Unauthenticated
from tests.contract.kyouko.builders import network
from tests.contract.kyouko.in_memory import MemoryNetworkRepository
from tests.factories import caller, principal

ROSE = network("rose")
ALICE = replace(principal(flowers=Role.MEMBER), expires_at=100.0)


def authority(who: Principal = ALICE, *, learning: bool = True, **tokens: Principal) -> Authority:
    """Return the authority of somebody; fresh tokens are given by name."""

    async def verify(token: str) -> Principal:
        return tokens[token]

    async def find(who: Caller, action: Action) -> NetworkEntry:
        repository = MemoryNetworkRepository()
        await repository.create(ROSE)
        return await SeenNetworks(repository).check(who, "flowers", "rose", action)

    return Authority(caller(who), verify, find, is_learning=learning)


async def test_a_viewer_may_predict_and_not_learn() -> None:
    """Learning needs MEMBER, whatever the method's rule lets in."""
    viewer = principal(flowers=Role.VIEWER)

    found = await authority(viewer, learning=False).network()

    assert NetworkEntry(ROSE.uid, ROSE.belonging) == found
    with pytest.raises(PermissionDenied) as refused:
        await authority(viewer).network()
    assert "ROLE_INSUFFICIENT" == refused.value.reason


async def test_a_stranger_learns_nothing_of_the_project() -> None:
    """Without a role in the project it is not found."""
    with pytest.raises(NotFound):
        await authority(principal(rocks=Role.PROJECT_ADMIN)).network()


def test_a_token_ends() -> None:
    """Up to its end the stream goes on, from then on it does not."""
    stream = authority()

    stream.check(99.9)

    assert 0.5 == stream.seconds_left(99.5)
    with pytest.raises(Unauthenticated) as ended:
        stream.check(100.0)
    assert {"problem": "expired"} == ended.value.metadata


async def test_a_fresh_token_of_the_same_user_goes_on() -> None:
    """The new end counts, and so do the new roles."""
    stream = authority(fresh=replace(ALICE, expires_at=200.0))

    await stream.renew("fresh")

    stream.check(150.0)
    assert 200.0 == stream.principal.expires_at


@pytest.mark.parametrize(
    ("fresh", "kind"),
    [
        (replace(ALICE, name="users/bob"), Unauthenticated),
        (replace(ALICE, since=ALICE.since + 1), Unauthenticated),
        (replace(ALICE, project_roles={}), NotFound),
        (replace(ALICE, project_roles={"flowers": Role.VIEWER}), PermissionDenied),
    ],
)
async def test_a_token_that_does_not_fit_changes_nothing(
    fresh: Principal, kind: type[DomainError]
) -> None:
    """Somebody else's token, also of the same name, or one without the role leaves the old one."""
    stream = authority(fresh=fresh)

    with pytest.raises(kind):
        await stream.renew("fresh")

    assert ALICE == stream.principal
