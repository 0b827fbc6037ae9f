"""Whose quotas it counts in what somebody does with what is there."""

import pytest

from mesh.access import Action, Principal, Role, Scope
from mesh.guests import is_guest, subjects_of_use
from mesh.quotas import (
    GUEST_DEFAULTS,
    PROJECT_DEFAULTS,
    Quota,
    QuotaBook,
    QuotaDefaults,
    guests_of,
)
from tests import factories

GARDEN, ALICE = "projects/garden", "users/alice"
GUESTS = "projects/garden/guests"
DEVICE = Scope("garden", "", frozenset({Action.PREDICT}))


@pytest.mark.parametrize(
    ("principal", "subjects"),
    [
        (factories.principal(ALICE, garden=Role.VIEWER), (GARDEN, ALICE)),
        (factories.principal(ALICE, admin=True), (GARDEN, ALICE)),
        (factories.principal("services/kyouko"), (GARDEN,)),
        (Principal("projects/garden/apiKeys/k", scope=DEVICE), (GARDEN,)),
        (factories.principal("projects/garden/clients/c", garden=Role.MEMBER), (GARDEN,)),
    ],
)
def test_those_of_the_project_count_for_it(principal: Principal, subjects: tuple[str, ...]) -> None:
    """Whoever has a role there, and people for themselves too."""
    assert subjects == subjects_of_use("garden", principal)
    assert not is_guest(principal, "garden")


@pytest.mark.parametrize(
    ("principal", "subjects"),
    [
        (factories.principal(ALICE), (ALICE, GUESTS)),
        (factories.principal(ALICE, kitchen=Role.PROJECT_ADMIN), (ALICE, GUESTS)),
        (
            factories.principal("projects/kitchen/clients/c", kitchen=Role.MEMBER),
            ("projects/kitchen", GUESTS),
        ),
    ],
)
def test_guests_count_for_themselves_and_for_all_guests(
    principal: Principal, subjects: tuple[str, ...]
) -> None:
    """Not for the project whose guests they are; programs count for their own project."""
    assert subjects == subjects_of_use("garden", principal)
    assert is_guest(principal, "garden")


def test_guests_have_a_bound_of_their_own() -> None:
    """It says how many streams and rows they may have; there is nothing else for them."""
    limits = QuotaBook().limits_of(GUESTS)

    assert GUEST_DEFAULTS.items() <= limits.items()
    assert {0} == {limits[quota] for quota in Quota if quota not in GUEST_DEFAULTS}


def test_guests_never_have_more_than_their_project() -> None:
    """Whether its limit is its own or the default; and a setting may give them less."""
    book = QuotaBook()
    book.change({GARDEN: {Quota.STREAMS: 3}})
    of_own = book.limits_of(GUESTS)[Quota.STREAMS]
    book.change({GARDEN: {}})
    book.set_defaults(QuotaDefaults({**PROJECT_DEFAULTS, Quota.STREAMS: 2}, PROJECT_DEFAULTS))
    of_default = book.limits_of(GUESTS)[Quota.STREAMS]
    book.set_guests({Quota.STREAMS: 1, Quota.ROWS_PER_SECOND: 0})

    assert (3, 2, 1) == (of_own, of_default, book.limits_of(GUESTS)[Quota.STREAMS])


def test_a_project_may_have_the_id_guests() -> None:
    """It has the limits of a project, and guests of its own."""
    book = QuotaBook()

    assert PROJECT_DEFAULTS == book.limits_of("projects/guests")
    assert GUEST_DEFAULTS.items() <= book.limits_of(guests_of("guests")).items()
