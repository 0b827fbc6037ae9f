"""Resource names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh import names
from mesh.errors import InvalidArgument

IDS = st.text(st.characters(exclude_characters="/"), min_size=1)


@given(project=IDS, network=IDS)
def test_ids_come_back(project: str, network: str) -> None:
    """Whatever the ids are, taking a name apart gives them back."""
    name = f"projects/{project}/networks/{network}"

    assert (project, network) == names.parse("projects/*/networks/*", name)
    assert project == names.project_id(name)


@pytest.mark.parametrize(
    "name",
    ["", "projects", "projects/", "/", "projects//", "users/a", "projects/a/", "projects/a/b"],
)
def test_other_names_are_refused(name: str) -> None:
    """A name of another form is FIELD_INVALID, under the field's name."""
    with pytest.raises(InvalidArgument) as caught:
        names.parse("projects/*", name, field="parent")

    assert "FIELD_INVALID" == caught.value.reason
    assert ["parent"] == [violation.field for violation in caught.value.violations]


def test_project_of_something_else_is_refused() -> None:
    """A name that does not begin with a project has none."""
    with pytest.raises(InvalidArgument):
        names.project_id("users/alice")
