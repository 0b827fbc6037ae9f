"""Resource names: from what people type to what the contracts ask for.

A name may be given in full (`projects/demo/networks/digits`) or, when the
project is known, by its last part (`digits`).
"""

from __future__ import annotations

from dataclasses import dataclass

from hanami_sdk.errors import InvalidArgument

# Raised by the client itself, so no reason of the contracts.
PROJECT_MISSING = "PROJECT_MISSING"
# Who may call: kinds of principals.
USER, DEVICE, PROGRAM = "user", "device", "program"


def user_name(user: str) -> str:
    """Return `users/{user}` for a user's id or full name."""
    return _top("users", user)


def project_name(project: str) -> str:
    """Return `projects/{project}` for a project's id or full name."""
    return _top("projects", project)


def template_name(template: str) -> str:
    """Return `templates/{template}` for a template's id or full name."""
    return _top("templates", template)


def member_name(project: str, user: str) -> str:
    """Return `projects/{project}/members/{user}`."""
    return f"{project_name(project)}/members/{user_name(user).removeprefix('users/')}"


def provider_name(provider: str) -> str:
    """Return `loginProviders/{provider}` for the id or full name of a login provider."""
    return _top("loginProviders", provider)


def kind_of_principal(name: str) -> str:
    """Return whether a full name is that of a user, a device's key or a program."""
    parts = name.split("/")
    if len(parts) == 4 and parts[2] == "apiKeys":
        return DEVICE
    return PROGRAM if len(parts) == 4 and parts[2] == "clients" else USER


def last_part(name: str) -> str:
    """Return the id at the end of a resource name."""
    return name.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Namespace:
    """Completes the names of things inside projects.

    Attributes:
        project: id or full name of the project that short names belong to;
            empty when only full names can be used.
    """

    project: str = ""

    def parent(self, project: str | None = None) -> str:
        """Return the full name of the given project, or of the default one."""
        chosen = project or self.project
        if not chosen:
            raise InvalidArgument("Say which project is meant.", reason=PROJECT_MISSING)
        return project_name(chosen)

    def dataset(self, name: str) -> str:
        """Return the full name of a data set."""
        return self._inside("datasets", name)

    def network(self, name: str) -> str:
        """Return the full name of a network; `-` stands for all."""
        return self._inside("networks", name)

    def api_key(self, name: str) -> str:
        """Return the full name of an API key."""
        return self._inside("apiKeys", name)

    def client(self, name: str) -> str:
        """Return the full name of a client."""
        return self._inside("clients", name)

    def _inside(self, collection: str, name: str) -> str:
        if "/" not in name:
            return f"{self.parent()}/{collection}/{name}"
        parts = name.split("/")
        if len(parts) != 4 or parts[0] != "projects" or parts[2] != collection:
            raise InvalidArgument(
                f"{name!r} is not a name of the form projects/PROJECT/{collection}/NAME.",
                reason="FIELD_INVALID",
            )
        return name


def _top(collection: str, name: str) -> str:
    return name if name.startswith(f"{collection}/") else f"{collection}/{name}"
