"""Short names become full ones."""

import pytest

from hanami_sdk.errors import InvalidArgument
from hanami_sdk.names import (
    DEVICE,
    PROGRAM,
    USER,
    Namespace,
    kind_of_principal,
    last_part,
    member_name,
    project_name,
    provider_name,
    user_name,
)


def test_an_id_is_completed() -> None:
    """The last part of a name is enough where the rest is known."""
    names = Namespace("demo")

    assert names.network("digits") == "projects/demo/networks/digits"
    assert names.dataset("mnist") == "projects/demo/datasets/mnist"
    assert names.api_key("pump") == "projects/demo/apiKeys/pump"
    assert names.client("nightly") == "projects/demo/clients/nightly"
    assert provider_name("company") == "loginProviders/company"


def test_a_full_name_is_kept() -> None:
    """A full name wins over the default project."""
    names = Namespace("demo")

    assert names.network("projects/other/networks/n1") == "projects/other/networks/n1"
    assert user_name("users/alice") == "users/alice"
    assert project_name("projects/demo") == "projects/demo"


def test_a_short_name_needs_a_project() -> None:
    """Without a project there is no telling what is meant."""
    with pytest.raises(InvalidArgument, match="project"):
        Namespace().network("digits")


@pytest.mark.parametrize("name", ["projects/p/datasets/d", "networks/n", "projects/p/networks"])
def test_a_name_of_another_kind_is_refused(name: str) -> None:
    """The name of a data set is not the name of a network."""
    with pytest.raises(InvalidArgument, match="projects/PROJECT/networks/NAME"):
        Namespace("demo").network(name)


def test_members_are_named_after_project_and_user() -> None:
    """Both parts may be given in full or as ids."""
    assert member_name("projects/demo", "users/alice") == "projects/demo/members/alice"
    assert last_part("projects/demo/members/alice") == "alice"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("users/alice", USER),
        ("projects/demo/apiKeys/pump", DEVICE),
        ("projects/demo/clients/nightly", PROGRAM),
    ],
)
def test_a_name_tells_who_calls(name: str, kind: str) -> None:
    """It says how the next token is had."""
    assert kind_of_principal(name) == kind
