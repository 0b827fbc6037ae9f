"""What the mesh answers, in the words of the command: no fields, paths or patterns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hanami_sdk.errors import FieldViolation, HanamiError

_FIELD_PREFIX = re.compile(r"^[a-z_]+(\[\w+\])?(\.[a-z_0-9]+(\[\w+\])?)*: ")
# Answers that say something about a field without naming it.
_INCOMPLETE = ("must ", "does not ", "value ", "is ", "holds ", "has ")
_PATTERN = re.compile(r"regex pattern `(.*)`", re.DOTALL)
_SHORT_NAME = "2 to 63 lower-case letters, digits and dashes, beginning with a letter"
_USER_NAME = "3 to 63 lower-case letters, digits and . _ - @, beginning with a letter"
_WORDS = {
    "api_key_id": "the key's name",
    "client_id": "the client's name",
    "dataset_id": "the data set's name",
    "network_id": "the network's name",
    "project_id": "the project's name",
    "result_dataset_id": "the name of the result",
    "user_id": "the user's name",
    "task_id": "the task's name",
    "parent": "the name",
}


def sentence(error: HanamiError) -> str:
    """Return what went wrong as sentences for a person."""
    if error.reason == "ROLE_INSUFFICIENT" and error.metadata.get("roles"):
        return _missing_role(error.metadata["roles"])
    if error.reason in ("FIELD_INVALID", "") and error.violations:
        return " ".join(dict.fromkeys(_violation(v) for v in error.violations))
    return _as_sentence(_FIELD_PREFIX.sub("", error.message))


def _violation(violation: FieldViolation) -> str:
    field = re.sub(r"\[.*\]$", "", violation.field.rsplit(".", 1)[-1])
    subject = _WORDS.get(field, f"the {field.replace('_', ' ')}" if field else "the request")
    pattern = _PATTERN.search(violation.description)
    if pattern is not None:
        return _as_sentence(f"{subject} must be {_form(pattern[1])}")
    if violation.description.startswith(_INCOMPLETE):
        return _as_sentence(f"{subject} {violation.description}")
    return _as_sentence(violation.description)


def _form(pattern: str) -> str:
    """Return what a pattern of the contracts asks for."""
    if "/tasks/" in pattern:
        return "a full one, projects/PROJECT/networks/NETWORK/tasks/TASK"
    if "@" in pattern:
        return _USER_NAME
    return _SHORT_NAME if "[a-z0-9-]{0,61}" in pattern else "of another form"


def _missing_role(roles: str) -> str:
    """Return what is needed, in the words of `hanami project member add --role`."""
    names = [name.lower().replace("_", "-") for name in roles.split(", ") if name != "SERVICE"]
    if names == ["nobody"]:
        return "This is not open to your login."
    if names == ["admin"]:
        return "Only an administrator may do this."
    members = [name for name in names if name != "admin"]
    return f"This needs another role in the project: {' or '.join(members)}."


def _as_sentence(text: str) -> str:
    is_name = "/" in text.partition(" ")[0]
    whole = text if is_name else text[:1].upper() + text[1:]
    return whole if whole.endswith((".", "!", "?", ":")) or "\n" in whole else f"{whole}."
