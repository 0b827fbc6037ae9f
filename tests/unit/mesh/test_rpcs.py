"""The requests that tests build from the contracts are ones that services take."""

import pytest

from hanami_sdk.local.contracts import Contracts
from mesh import validation
from tests.rpcs import every_rpc, names_of, references_of, request_for, with_reference

RPCS = {rpc.path: rpc for rpc in every_rpc()}
IDS = {
    "project": "garden",
    "network": "flowers",
    "task": "growth",
    "dataset": "petals",
    "member": "alice",
    "user": "alice",
    "session": "0b" * 16,
    "template": "flat",
    "incident": "0c" * 16,
    "api_key": "sensor",
    "client": "program",
    "policy": "1",
    "signing_key": "k",
    "login_provider": "idp",
}


def test_every_rpc_of_the_gateway_is_there() -> None:
    """The generated modules and the descriptor set of the gateway tell of the same methods."""
    known = {method.path for method in Contracts.load().methods}

    assert known == set(RPCS)


@pytest.mark.parametrize("path", RPCS)
def test_built_request_keeps_the_rules(path: str) -> None:
    """No field of a request that was built is refused by the contract."""
    request = request_for(RPCS[path], names_of(IDS))

    validation.check(request)


@pytest.mark.parametrize("path", RPCS)
def test_every_named_resource_can_be_another(path: str) -> None:
    """Each field that names a resource can be set, and what it names is taken as a name."""
    rpc = RPCS[path]
    request, others = request_for(rpc, names_of(IDS)), names_of({**IDS, "project": "meadow"})

    for reference in references_of(rpc):
        changed = with_reference(request, reference, others[reference.resource_type])

        assert others[reference.resource_type] in str(changed)


def test_named_resources_are_found_wherever_they_are() -> None:
    """Annotated fields, names of resources, models and filters are all known as references."""
    found = {
        f"{rpc.method.name}.{reference}": reference.resource_type
        for rpc in RPCS.values()
        for reference in references_of(rpc)
    }

    expected = {
        "GetTask.name": "hanami.dev/Task",
        "CreateTask.dataset": "hanami.dev/Dataset",
        "Learn.open.network": "hanami.dev/Network",
        "UpdateMember.member.name": "hanami.dev/Member",
        "ModelInfer.model_name": "hanami.dev/Network",
        "ListAuditEntries.filter.project": "hanami.dev/Project",
        "Login.project": "hanami.dev/Project",
    }
    assert expected == {name: found.get(name) for name in expected}
