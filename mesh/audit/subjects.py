"""What a call is about, and who somebody claims to be who has no token yet.

Only fields that name resources are looked at, and only values that have the form of a
name go into the log: whatever else a request holds is nobody's business there.
"""

import re
from typing import Any

from google.protobuf.message import Message

# users/alice, projects/p/networks/n, users/alice/quota; never free text.
_NAME = re.compile(r"[a-zA-Z]{2,32}/[\w.@-]{1,128}(/[a-zA-Z]{2,32}/[\w.@-]{1,128})*(/quota)?")
_ID = re.compile(r"[a-z][a-z0-9_.@-]{1,62}")
_MOST_CHARACTERS = 256
_RESOURCE_FIELDS = ("name", "resource", "network", "parent", "user")
_PROJECT_CHARACTERS = 63


def resource_of(request: Message | None, answer: Any) -> str:
    """Return the name of what a call made, changed or asked for; empty when none is named."""
    made = _named(answer, ("name",)) or _named_inside(answer, ("name",))
    # An update names its resource inside of it, an opening its network.
    return made or _named(request, _RESOURCE_FIELDS) or _named_inside(request, _RESOURCE_FIELDS)


def project_of(resource: str) -> str:
    """Return the project that a resource is in, `projects/{project}`; empty outside of any."""
    parts = resource.split("/")
    if parts[0] != "projects" or len(parts) < 2 or len(parts[1]) > _PROJECT_CHARACTERS:
        return ""
    return "/".join(parts[:2])


def claimed_by(request: Message | None) -> str:
    """Return who logs in, as far as the request says so in the form of an id."""
    for field, collection in (("user_id", "users"), ("service", "services")):
        value = getattr(request, field, "")
        if isinstance(value, str) and _ID.fullmatch(value):
            return f"{collection}/{value}"
    return ""


def proven_by(answer: Any) -> str:
    """Return whom the token is for that a login's answer holds."""
    return _named(answer, ("principal", "user"))


def name_or_nothing(text: str) -> str:
    """Return a text if it has the form of a resource name."""
    return text if len(text) <= _MOST_CHARACTERS and _NAME.fullmatch(text) else ""


def _named_inside(message: Any, fields: tuple[str, ...]) -> str:
    for field, value in message.ListFields() if isinstance(message, Message) else ():
        if field.message_type is not None and not field.is_repeated:
            found = _named(value, fields)
            if found:
                return found
    return ""


def _named(message: Any, fields: tuple[str, ...]) -> str:
    for field in fields:
        value = getattr(message, field, None)
        if isinstance(value, str) and value:
            found = name_or_nothing(value)
            if found:
                return found
    return ""
