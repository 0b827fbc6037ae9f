"""Who may know of a resource, and who may change that: every combination there is."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from mesh.access import AccessRule, Action, Caller, Principal, Role, Scope
from mesh.errors import DomainError, NotFound, PermissionDenied
from mesh.visibility import (
    Belonging,
    Visibility,
    authorize,
    authorize_change,
    authorize_creation,
    authorize_listing,
    check_listing,
    microseconds,
    sight_of,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SINCE = microseconds(NOON) - 5
NAME = "projects/garden/networks/rose"
READERS = frozenset({Role.ADMIN, Role.PROJECT_ADMIN, Role.MEMBER, Role.VIEWER, Role.SERVICE})
READ = AccessRule("/x/Read", roles=READERS | {Role.DEVICE}, reads_public=True)
READ_INSIDE = AccessRule("/x/ReadInside", roles=READERS)
WRITE = AccessRule("/x/Write", roles=frozenset({Role.ADMIN, Role.PROJECT_ADMIN, Role.MEMBER}))
EVERY_ACTION = frozenset(Action)
PEOPLE = {
    "admin": Principal("users/root", admin=True),
    "service": Principal("services/kyouko"),
    "project admin": Principal("users/ann", project_roles={"garden": Role.PROJECT_ADMIN}),
    "owner": Principal("users/alice", project_roles={"garden": Role.MEMBER}, since=SINCE),
    "viewing owner": Principal("users/alice", project_roles={"garden": Role.VIEWER}, since=SINCE),
    "owner outside": Principal("users/alice", since=SINCE),
    "namesake": Principal("users/alice", project_roles={"garden": Role.MEMBER}, since=SINCE + 9),
    "member": Principal("users/bob", project_roles={"garden": Role.MEMBER}, since=1),
    "viewer": Principal("users/eve", project_roles={"garden": Role.VIEWER}, since=1),
    "stranger": Principal("users/joe", project_roles={"kitchen": Role.PROJECT_ADMIN}, since=1),
    "nobody": Principal("users/jim", since=1),
    "client": Principal("projects/kitchen/clients/c", project_roles={"kitchen": Role.MEMBER}),
    "device": Principal("projects/garden/apiKeys/k", scope=Scope("garden", "", EVERY_ACTION)),
    "device outside": Principal("projects/k/apiKeys/k", scope=Scope("k", "", EVERY_ACTION)),
}
OK, HIDDEN, DENIED = "OK", "NOT_FOUND", "DENIED"
# For each caller: reading, reading what is for members only, writing.
INSIDE = {
    "admin": (OK, OK, OK),
    "service": (OK, OK, DENIED),
    "project admin": (OK, OK, OK),
    "owner": (OK, OK, OK),
    "viewing owner": (OK, OK, DENIED),
    "namesake": (OK, OK, OK),
    "member": (OK, OK, OK),
    "viewer": (OK, OK, DENIED),
    "device": (OK, DENIED, DENIED),
}
OUTSIDE = (HIDDEN, HIDDEN, HIDDEN)
GUEST = (OK, HIDDEN, HIDDEN)
EXPECTED = {
    Visibility.SHARED: {who: INSIDE.get(who, OUTSIDE) for who in PEOPLE},
    Visibility.PRIVATE: {who: INSIDE.get(who, OUTSIDE) for who in PEOPLE}
    | {
        "namesake": (HIDDEN, HIDDEN, HIDDEN),
        "member": (HIDDEN, HIDDEN, HIDDEN),
        # As of a resource that does not exist: the role is looked at first.
        "viewer": (HIDDEN, HIDDEN, DENIED),
    },
    Visibility.PUBLIC: {who: INSIDE.get(who, GUEST) for who in PEOPLE}
    | {"device outside": OUTSIDE},
}


def rose(visibility: Visibility = Visibility.SHARED, **changes: object) -> Belonging:
    """Return what belongs to alice."""
    return replace(Belonging("garden", NOON, "users/alice", SINCE, visibility), **changes)  # type: ignore[arg-type]


def outcome(who: Principal, rule: AccessRule, belonging: Belonging | None) -> str:
    """Return what comes of an access."""
    action = Action.PREDICT if rule is READ else None
    try:
        authorize(Caller(who, rule), "garden", NAME, belonging, network_id="rose", action=action)
    except NotFound:
        return HIDDEN
    except PermissionDenied:
        return DENIED
    return OK


@pytest.mark.parametrize(("visibility", "who"), list(product(Visibility, PEOPLE)))
def test_every_caller_gets_what_the_table_says(visibility: Visibility, who: str) -> None:
    """Role, owner, visibility and rule together decide, and nothing else does."""
    belonging = rose(visibility)

    outcomes = tuple(outcome(PEOPLE[who], rule, belonging) for rule in (READ, READ_INSIDE, WRITE))

    assert EXPECTED[visibility][who] == outcomes


@pytest.mark.parametrize(("who", "rule"), list(product(PEOPLE, (READ, READ_INSIDE, WRITE))))
def test_what_is_hidden_answers_as_what_is_not_there(who: str, rule: AccessRule) -> None:
    """Not even the message tells the difference."""

    def told(belonging: Belonging | None) -> tuple[str, str, object]:
        with pytest.raises(DomainError) as caught:
            authorize(Caller(PEOPLE[who], rule), "garden", NAME, belonging)
        return (caught.value.message, caught.value.reason, caught.value.metadata)

    hidden = [
        visibility
        for visibility in Visibility
        if not sight_of(Caller(PEOPLE[who], rule), "garden").shows(rose(visibility))
    ]

    assert [told(None)] * len(hidden) == [told(rose(visibility)) for visibility in hidden]


@pytest.mark.parametrize(("visibility", "who"), list(product(Visibility, PEOPLE)))
def test_owner_and_project_admins_change_who_may_know(visibility: Visibility, who: str) -> None:
    """Members of the project who own nothing of it do not."""
    caller = Caller(PEOPLE[who], WRITE)
    may = who in {"admin", "project admin", "owner", "viewing owner", "owner outside"}

    try:
        authorize_change(caller, rose(visibility))
        changed = True
    except PermissionDenied:
        changed = False

    assert may == changed


def test_owner_of_before_owners_were_noted_is_who_has_the_name_since_then() -> None:
    """A later user of the same name is not the owner of what was there before."""
    old = rose(Visibility.PRIVATE, owner_since=0)
    before, after = microseconds(NOON), microseconds(NOON) + 1

    found = [old.is_of("users/alice", since) for since in (1, before, after, 0)]

    assert [True, True, False, False] == found


def test_nobody_owns_what_has_no_owner() -> None:
    """An empty name, as of predictions of before, is not the name of anybody."""
    ownerless = rose(Visibility.PRIVATE, owner="", owner_since=0)

    assert not ownerless.is_of("", 1)


@pytest.mark.parametrize("who", ["stranger", "nobody", "client"])
def test_strangers_list_what_is_public(who: str) -> None:
    """Where nothing is, the project does not exist for them."""
    sight = authorize_listing(Caller(PEOPLE[who], READ), "garden")

    shown = [visibility for visibility in Visibility if sight.shows(rose(visibility))]

    assert [Visibility.PUBLIC] == shown
    check_listing(sight, "garden", 1)
    with pytest.raises(NotFound) as caught:
        check_listing(sight, "garden", 0)
    assert {"resource": "projects/garden"} == caught.value.metadata


@pytest.mark.parametrize("who", ["stranger", "nobody", "client", "device outside"])
def test_strangers_list_nothing_where_that_is_for_members(who: str) -> None:
    """A method that reads nothing public answers as for a project that does not exist."""
    with pytest.raises(NotFound):
        authorize_listing(Caller(PEOPLE[who], READ_INSIDE), "garden")


def test_a_policy_that_shuts_viewers_out_closes_what_is_public() -> None:
    """Strangers are let in as viewers: where those are refused, so are they."""
    rule = replace(READ, roles=frozenset({Role.ADMIN}))

    outcomes = [outcome(PEOPLE[who], rule, rose(Visibility.PUBLIC)) for who in ("admin", "nobody")]

    assert [OK, DENIED] == outcomes
    with pytest.raises(PermissionDenied):
        Caller(PEOPLE["nobody"], rule).authorize_method()


@pytest.mark.parametrize("who", PEOPLE)
def test_nobody_has_anything_to_do_in_a_deleted_project(who: str) -> None:
    """Not even admins, whatever is still left of it."""
    caller = Caller(PEOPLE[who], READ, frozenset({"garden"}))

    for access in (
        lambda: authorize(caller, "garden", NAME, rose(Visibility.PUBLIC)),
        lambda: authorize_listing(caller, "garden"),
        lambda: authorize_creation(caller, "garden"),
    ):
        with pytest.raises(NotFound):
            access()
