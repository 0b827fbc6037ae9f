"""What a device may do: what its scope names, and nothing else."""

import pytest

from mesh.access import Action, Principal, Role, Scope
from mesh.errors import NotFound, PermissionDenied, Unauthenticated
from mesh.tokens import principal_of
from tests import factories

DEVICES = frozenset({Role.DEVICE})
CLAIMS = {"sub": "projects/garden/apiKeys/k", "jti": "t", "iat": 1.5, "exp": 9, "api_key": "k"}


def device(network_id: str = "rose", *actions: Action, **changes: object) -> Principal:
    """Return a device of the project `garden`."""
    scope = Scope("garden", network_id, frozenset(actions))
    values: dict[str, object] = {"name": "projects/garden/apiKeys/k", "scope": scope}
    return Principal(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("network_id", ["rose", ""])
def test_scope_opens_network_and_action(network_id: str) -> None:
    """A scope of the network, or of all networks, opens what it names."""
    caller = factories.caller(device(network_id, Action.LEARN), roles=DEVICES)

    caller.authorize_method()
    caller.authorize_network("garden", "rose", Action.LEARN)


def test_other_action_is_denied() -> None:
    """Who may predict may not learn, and hears why."""
    caller = factories.caller(device("rose", Action.PREDICT), roles=DEVICES)

    with pytest.raises(PermissionDenied) as caught:
        caller.authorize_network("garden", "rose", Action.LEARN)

    assert "SCOPE_INSUFFICIENT" == caught.value.reason
    assert {"method": caller.rule.method, "action": "learn", "actions": "predict"} == (
        caught.value.metadata
    )


@pytest.mark.parametrize(("project_id", "network_id"), [("garden", "lily"), ("kitchen", "rose")])
def test_other_networks_do_not_exist(project_id: str, network_id: str) -> None:
    """Outside of its scope a device cannot tell what there is."""
    caller = factories.caller(device("rose", *Action), roles=DEVICES)

    with pytest.raises(NotFound):
        caller.authorize_network(project_id, network_id, Action.PREDICT)


def test_project_is_closed_to_devices() -> None:
    """What asks for the project only is denied, also where the rule names devices."""
    caller = factories.caller(device("", *Action), roles=DEVICES)

    with pytest.raises(PermissionDenied):
        caller.authorize_project("garden")


def test_method_for_everybody_is_not_for_devices() -> None:
    """A device is let in where its role is named, and nowhere else."""
    caller = factories.caller(device("", *Action), roles=frozenset(), any_principal=True)

    with pytest.raises(PermissionDenied):
        caller.authorize_method()


def test_scope_outweighs_all_other_claims() -> None:
    """With a scope nobody is an admin, a member or a service."""
    mighty = device(
        "rose", admin=True, name="services/kyouko", project_roles={"kitchen": Role.PROJECT_ADMIN}
    )

    assert DEVICES == mighty.all_roles()
    assert frozenset() == mighty.global_roles()
    assert frozenset() == mighty.roles_in("kitchen")
    assert DEVICES == mighty.roles_in("garden")


def test_others_need_a_role_in_the_project() -> None:
    """For people a network is what its project is."""
    caller = factories.caller(factories.principal(garden=Role.MEMBER))

    caller.authorize_network("garden", "rose", Action.LEARN)

    with pytest.raises(NotFound):
        caller.authorize_network("kitchen", "rose", Action.LEARN)


def test_claims_make_a_scope() -> None:
    """The claim `device` becomes the scope, and the key can be revoked by its id."""
    claims = {"project": "garden", "network": "", "actions": ["learn", "predict"]}

    principal = principal_of(CLAIMS | {"device": claims})

    assert Scope("garden", "", frozenset(Action)) == principal.scope
    assert ("projects/garden/apiKeys/k", "tokens/t", "apiKeys/k") == principal.revocable_as
    assert 1.5 == principal.issued_at


@pytest.mark.parametrize(
    "claim",
    [
        {},
        [],
        "garden",
        {"project": "garden", "network": "", "actions": ["rule"]},
        {"project": "garden", "actions": []},
        {"project": "garden", "network": "", "actions": None},
    ],
)
def test_malformed_scope_is_no_scope(claim: object) -> None:
    """What is not a scope makes the token unusable, not mightier."""
    with pytest.raises(Unauthenticated) as caught:
        principal_of(CLAIMS | {"device": claim})

    assert {"problem": "malformed"} == caught.value.metadata
