"""Who replaces signing keys, and when they replace themselves."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from mesh.access import Caller, Role
from mesh.errors import PermissionDenied
from misaki.domain.key_times import KeyTimes, RotationRules
from misaki.domain.signing_keys import KeyState, SigningKeys
from tests import factories
from tests.unit.misaki.conftest import SettableClock

ADMINS_ONLY = frozenset({Role.ADMIN})
RULES = RotationRules(
    ahead=timedelta(minutes=15), kept=timedelta(hours=24), longest=timedelta(days=90)
)


class ListRing:
    """Dates of keys without the keys."""

    def __init__(self, clock: SettableClock) -> None:
        self._clock = clock
        self._times = [KeyTimes("k0", clock.now, clock.now)]

    def times(self) -> Sequence[KeyTimes]:
        """Return the dates."""
        return list(self._times)

    def rotate(self, *, immediately: bool) -> None:
        """Add a key, or begin with a new one."""
        now = self._clock.now
        self._times = [] if immediately else self._times
        at = now if immediately else now + RULES.ahead
        self._times.append(KeyTimes(f"k{len(self._times)}", now, at))


@pytest.fixture
def told() -> list[str]:
    """Return what was told of changes."""
    return []


@pytest.fixture
def signing_keys(clock: SettableClock, told: list[str]) -> SigningKeys:
    """Return the rules over one key."""

    async def changed() -> None:
        told.append("changed")

    return SigningKeys(ListRing(clock), RULES, clock=clock, changed=changed)


def admin() -> Caller:
    """Return an admin who calls a method for admins."""
    return factories.caller(factories.principal("users/root", admin=True), roles=ADMINS_ONLY)


async def test_rotation_is_told_at_once(
    signing_keys: SigningKeys, clock: SettableClock, told: list[str]
) -> None:
    """The next key is returned, waits, and everybody is told."""
    key = await signing_keys.rotate(admin(), immediately=False)

    listed = signing_keys.list(admin())
    assert [KeyState.NEXT, KeyState.CURRENT] == [key.state for key in listed]
    assert (key, None) == (listed[0], key.expire_time)
    assert clock.now + RULES.ahead + RULES.kept == listed[1].expire_time
    assert ["changed"] == told


async def test_states_follow_the_clock(signing_keys: SigningKeys, clock: SettableClock) -> None:
    """What was next is current when its time has come, and what was current is previous."""
    await signing_keys.rotate(admin(), immediately=False)
    clock.now += RULES.ahead

    assert [KeyState.CURRENT, KeyState.PREVIOUS] == [
        key.state for key in signing_keys.list(admin())
    ]


async def test_only_admins_see_and_replace_keys(signing_keys: SigningKeys) -> None:
    """A project admin may not."""
    who = factories.principal(garden=Role.PROJECT_ADMIN)
    caller = factories.caller(who, roles=ADMINS_ONLY)

    with pytest.raises(PermissionDenied):
        signing_keys.list(caller)
    with pytest.raises(PermissionDenied):
        await signing_keys.rotate(caller, immediately=True)


async def test_keys_are_replaced_by_age(
    signing_keys: SigningKeys, clock: SettableClock, told: list[str]
) -> None:
    """Once, in time for the next one to be known everywhere when it has to sign."""
    made = []
    for days in (0, 89, 1, 0):
        clock.now += timedelta(days=days)
        made.append(await signing_keys.rotate_if_due())

    assert [False, False, True, False] == made
    assert ["changed"] == told
