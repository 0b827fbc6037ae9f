"""Roles as people type and read them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hanami_sdk.areas.policies import RoleName
    from hanami_sdk.areas.projects import MemberRole


class Role(StrEnum):
    """What somebody may do in a project."""

    PROJECT_ADMIN = "project-admin"
    MEMBER = "member"
    VIEWER = "viewer"


class AnyRole(StrEnum):
    """Every role that a method may be open to."""

    ADMIN = "admin"
    PROJECT_ADMIN = "project-admin"
    MEMBER = "member"
    VIEWER = "viewer"
    DEVICE = "device"
    SERVICE = "service"


WIRE_ROLES: dict[Role, MemberRole] = {
    Role.PROJECT_ADMIN: "PROJECT_ADMIN",
    Role.MEMBER: "MEMBER",
    Role.VIEWER: "VIEWER",
}
WIRE_NAMES: dict[AnyRole, RoleName] = {
    AnyRole.ADMIN: "ADMIN",
    AnyRole.PROJECT_ADMIN: "PROJECT_ADMIN",
    AnyRole.MEMBER: "MEMBER",
    AnyRole.VIEWER: "VIEWER",
    AnyRole.DEVICE: "DEVICE",
    AnyRole.SERVICE: "SERVICE",
}


def role_text(number: int) -> str:
    """Return a role of a contract in words: `project-admin`."""
    from hanami.type.v1.access_pb2 import Role as WireRole

    known = WireRole.DESCRIPTOR.values_by_number.get(number)
    name = known.name if known is not None else str(number)
    return name.removeprefix("ROLE_").lower().replace("_", "-")


def roles_text(numbers: Iterable[int]) -> str:
    """Return several roles in words; `nobody` for none."""
    return ", ".join(map(role_text, numbers)) or "nobody"
