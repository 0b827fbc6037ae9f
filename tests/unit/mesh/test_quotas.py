"""Limits, counts, and what callers hear of them."""

import pytest
from google.rpc import error_details_pb2

from mesh.access import Role
from mesh.errors import NotFound
from mesh.quota_counts import QuotaCounts, QuotaUse, QuotaWarning
from mesh.quota_messages import limits_message, limits_of, usage_messages
from mesh.quotas import (
    PROJECT_DEFAULTS,
    USER_DEFAULTS,
    Quota,
    QuotaBook,
    QuotaDefaults,
    QuotaExceeded,
    reachable_user,
    subjects_of,
)
from mesh.status import status_of
from tests import factories

GARDEN, ALICE = "projects/garden", "users/alice"


def counts_of(warnings: list[QuotaWarning] | None = None, **limits: int) -> QuotaCounts:
    """Return counts in which a project has these limits, and users the defaults."""
    book = QuotaBook()
    book.change({GARDEN: {Quota(name): limit for name, limit in limits.items()}})
    return QuotaCounts(book, warn=(warnings if warnings is not None else []).append)


def test_defaults_are_those_of_projects_and_of_users() -> None:
    """Who has no limits of their own has the default ones of their kind."""
    book = QuotaBook()

    assert (PROJECT_DEFAULTS, USER_DEFAULTS) == (book.limits_of(GARDEN), book.limits_of(ALICE))


def test_own_limits_count_beside_the_other_defaults() -> None:
    """One limit of a project changes that one, and is gone when it is given back."""
    book = QuotaBook()

    book.change({GARDEN: {Quota.NETWORKS: 3}})
    changed = book.limits_of(GARDEN)
    book.change({GARDEN: {}})

    assert {**PROJECT_DEFAULTS, Quota.NETWORKS: 3} == changed
    assert PROJECT_DEFAULTS == book.limits_of(GARDEN)


def test_other_defaults_reach_those_with_limits_of_their_own() -> None:
    """A new default counts for everything that has not been changed."""
    book = QuotaBook()
    book.change({GARDEN: {Quota.NETWORKS: 3}})

    book.set_defaults(QuotaDefaults({**PROJECT_DEFAULTS, Quota.STREAMS: 1}, USER_DEFAULTS))

    limits = book.limits_of(GARDEN)
    assert (3, 1) == (limits[Quota.NETWORKS], limits[Quota.STREAMS])


def test_complete_news_forget_what_was_known() -> None:
    """Limits that are not among all that there are count no more."""
    book = QuotaBook()
    book.change({GARDEN: {Quota.NETWORKS: 3}})

    book.replace({ALICE: {Quota.STREAMS: 1}})

    assert PROJECT_DEFAULTS == book.limits_of(GARDEN)
    assert 1 == book.limits_of(ALICE)[Quota.STREAMS]


@pytest.mark.parametrize(
    ("principal", "subjects"),
    [
        ("users/alice", (GARDEN, ALICE)),
        ("services/kyouko", (GARDEN,)),
        ("projects/garden/apiKeys/sensor", (GARDEN,)),
    ],
)
def test_people_count_beside_their_project(principal: str, subjects: tuple[str, ...]) -> None:
    """What devices, programs and services make is the project's alone."""
    assert subjects == subjects_of("garden", principal)


def test_claims_end_at_the_limit() -> None:
    """The last one fits, one more does not, and says what is used up and by whom."""
    counts = counts_of(networks=2)
    counts.claim((GARDEN, ALICE), Quota.NETWORKS, 2)

    with pytest.raises(QuotaExceeded) as caught:
        counts.claim((GARDEN, ALICE), Quota.NETWORKS)

    assert "QUOTA_EXCEEDED" == caught.value.reason
    assert {
        "resource": GARDEN,
        "quota": "networks",
        "limit": "2",
        "usage": "2",
    } == caught.value.metadata
    assert (2, 2) == tuple(counts.used(who, Quota.NETWORKS) for who in (GARDEN, ALICE))


def test_user_limit_holds_in_every_project() -> None:
    """What somebody has in two projects counts together."""
    counts = QuotaCounts(QuotaBook())
    counts.book.change({ALICE: {Quota.NETWORKS: 1}})
    counts.claim((GARDEN, ALICE), Quota.NETWORKS)

    with pytest.raises(QuotaExceeded) as caught:
        counts.claim(("projects/meadow", ALICE), Quota.NETWORKS)

    used = counts.used("projects/meadow", Quota.NETWORKS)
    assert (ALICE, 0) == (caught.value.subject, used)


def test_what_is_there_stays_when_a_limit_is_lowered() -> None:
    """Beyond a limit there may be less, and nothing more."""
    counts = counts_of(networks=1)
    counts.add((GARDEN,), Quota.NETWORKS, 3)

    counts.claim((GARDEN,), Quota.NETWORKS, -1)

    assert 2 == counts.used(GARDEN, Quota.NETWORKS)
    with pytest.raises(QuotaExceeded):
        counts.claim((GARDEN,), Quota.NETWORKS)


def test_held_is_given_back_whatever_happens() -> None:
    """A claim that lasts as long as something goes on ends with it."""
    counts = counts_of(streams=1)

    with pytest.raises(ValueError, match="broken"), counts.held((GARDEN,), Quota.STREAMS):
        raise ValueError("broken")

    with counts.held((GARDEN,), Quota.STREAMS):
        assert 1 == counts.used(GARDEN, Quota.STREAMS)
    assert 0 == counts.used(GARDEN, Quota.STREAMS)


def test_warning_comes_from_four_fifths_on() -> None:
    """Below nobody is told; at 80 % and above each new one tells how far it is."""
    warnings: list[QuotaWarning] = []
    counts = counts_of(warnings, networks=5)

    for _ in range(5):
        counts.claim((GARDEN,), Quota.NETWORKS)

    assert [
        "projects/garden has 4 of 5 networks",
        "projects/garden has 5 of 5 networks",
    ] == list(map(str, warnings))


def test_uses_tell_how_much_there_is_and_may_be() -> None:
    """In the order asked for, with limits."""
    counts = counts_of(networks=5)
    counts.claim((GARDEN,), Quota.NETWORKS, 2)

    uses = counts.uses(GARDEN, (Quota.STREAMS, Quota.NETWORKS))

    assert [QuotaUse(Quota.STREAMS, 0, 128), QuotaUse(Quota.NETWORKS, 2, 5)] == uses
    assert [("streams", 0, 128), ("networks", 2, 5)] == [
        (m.quota, m.used, m.limit) for m in usage_messages(uses)
    ]


def test_limits_survive_the_wire() -> None:
    """Those that are set come back, zero too, and no others."""
    limits = {Quota.NETWORKS: 0, Quota.DATASET_BYTES: 2**53 - 1}

    assert limits == limits_of(limits_message(limits))


def test_status_names_what_is_used_up() -> None:
    """RESOURCE_EXHAUSTED with QuotaFailure, and RetryInfo where waiting helps."""
    error = QuotaExceeded(GARDEN, Quota.ROWS_PER_SECOND, limit=10, used=10, retry_seconds=2)
    failure, retry = error_details_pb2.QuotaFailure(), error_details_pb2.RetryInfo()

    status = status_of(error)

    assert 8 == status.code
    assert status.details[1].Unpack(failure)
    assert status.details[2].Unpack(retry)
    violation = failure.violations[0]
    assert (GARDEN, "hanami.dev/rows_per_second", 10) == (
        violation.subject,
        violation.quota_metric,
        violation.quota_value,
    )
    assert 2 == retry.retry_delay.seconds


def test_people_reach_themselves_and_admins_everybody() -> None:
    """`me` is the caller, somebody else is not there, and a program is no user."""
    alice = factories.caller(factories.principal(ALICE), any_principal=True)
    root = factories.caller(factories.principal("users/root", admin=True), any_principal=True)
    client = factories.principal("projects/garden/clients/c", garden=Role.MEMBER)
    program = factories.caller(client, any_principal=True)

    assert [ALICE, ALICE, ALICE] == [
        reachable_user(alice, "users/me"),
        reachable_user(alice, ALICE),
        reachable_user(root, ALICE),
    ]
    for caller, user in ((alice, "users/bob"), (program, "users/me")):
        with pytest.raises(NotFound):
            reachable_user(caller, user)
