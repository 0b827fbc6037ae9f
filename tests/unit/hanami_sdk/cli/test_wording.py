"""Answers of the mesh in the words of the command."""

import pytest

from hanami_sdk.cli.failures import EXIT_USAGE, _explain
from hanami_sdk.cli.wording import sentence
from hanami_sdk.errors import FieldViolation, HanamiError, InvalidArgument, PermissionDenied

ID_PATTERN = "does not match regex pattern `^[a-z][a-z0-9-]{0,61}[a-z0-9]$`"
MEMBER_PATTERN = "does not match regex pattern `^users/[a-z][a-z0-9_.@-]{2,62}$`"


@pytest.mark.parametrize(
    ("field", "description", "words"),
    [
        (
            "open.dataset_id",
            ID_PATTERN,
            "The data set's name must be 2 to 63 lower-case letters, digits and dashes, "
            "beginning with a letter.",
        ),
        ("user", MEMBER_PATTERN, "The user must be 3 to 63 lower-case letters, digits and"),
        ("open.target_column", "there is no column 'x'", "There is no column 'x'."),
        ("password", "has 3 characters; 8 to 128 are allowed", "The password has 3 characters"),
        ("files[0].size_bytes", "must be greater than 0", "The size bytes must be greater than 0."),
    ],
)
def test_fields_and_patterns_become_words(field: str, description: str, words: str) -> None:
    """No field path of the contracts and no pattern is shown."""
    error = InvalidArgument(
        f"{field}: {description}",
        reason="FIELD_INVALID",
        violations=[FieldViolation(field, description)],
    )

    told = sentence(error)

    assert told.startswith(words)
    assert "regex" not in told
    assert "open." not in told


def test_other_reasons_lose_their_prefix_too() -> None:
    """What a frame's field has is told without the field."""
    error = HanamiError("frame.inputs: has 3 channels, not 4", reason="WIDTH_MISMATCH")

    assert sentence(error) == "Has 3 channels, not 4."


def test_names_stay_as_they_are() -> None:
    """A sentence that begins with a resource begins with a small letter."""
    error = HanamiError("projects/p1 was not found", reason="RESOURCE_NOT_FOUND")

    assert sentence(error) == "projects/p1 was not found."


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ("ADMIN", "Only an administrator may do this."),
        ("ADMIN, MEMBER, PROJECT_ADMIN, SERVICE", "member or project-admin"),
    ],
)
def test_roles_are_written_as_in_commands(roles: str, words: str) -> None:
    """As `hanami project member add --role` takes them."""
    error = PermissionDenied("...", reason="ROLE_INSUFFICIENT", metadata={"roles": roles})

    assert words in sentence(error)


def test_a_missing_project_is_a_wrong_call() -> None:
    """So is a file that does not exist; a refused call is a failure."""
    missing = _explain(InvalidArgument("Say which.", reason="PROJECT_MISSING"))
    no_file = _explain(FileNotFoundError(2, "No such file or directory", "rows.csv"))

    assert missing is not None
    assert no_file is not None
    assert (missing.exit_code, no_file.exit_code) == (EXIT_USAGE, EXIT_USAGE)
    assert "rows.csv" in no_file.message
