"""Which role may call which method, where an installation differs from the contracts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Literal

from hanami.misaki.v1 import access_service_pb2, policy_service_pb2_grpc
from hanami.misaki.v1 import policy_service_pb2 as pb
from hanami.type.v1 import access_pb2

from hanami_sdk.areas.pages import walk_pages
from hanami_sdk.connection import Connection
from hanami_sdk.errors import InvalidArgument
from hanami_sdk.names import project_name, user_name

RoleName = Literal["ADMIN", "PROJECT_ADMIN", "MEMBER", "VIEWER", "DEVICE", "SERVICE"]


class Policies:
    """Reads, tests and changes the policy; for admins. Every change is a new version."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = policy_service_pb2_grpc.PolicyServiceStub(connection.channel)

    async def get(self, version: int | None = None) -> pb.Policy:
        """Return a version of the policy; the one that counts when none is named."""
        name = "policies/current" if version is None else _version_name(version)
        request = pb.GetPolicyRequest(name=name)
        return await self._connection.unary(self._stub.GetPolicy, request, pb.Policy)

    def list(self) -> AsyncIterator[pb.Policy]:
        """Iterate over the versions, newest first."""
        return walk_pages(
            self._connection,
            self._stub.ListPolicies,
            pb.ListPoliciesRequest(page_size=100),
            pb.ListPoliciesResponse,
            lambda page: page.policies,
        )

    def methods(self) -> AsyncIterator[pb.MethodRule]:
        """Iterate over all methods of the mesh with the roles that may call them now."""
        return walk_pages(
            self._connection,
            self._stub.ListMethodRules,
            pb.ListMethodRulesRequest(page_size=1000),
            pb.ListMethodRulesResponse,
            lambda page: page.method_rules,
        )

    async def update(
        self, rules: Mapping[str, Collection[RoleName]], *, etag: str = ""
    ) -> pb.Policy:
        """Make a new version, which counts everywhere within a second.

        Args:
            rules: who may call which method (`/package.Service/Method`); nobody where
                there are no roles. Methods that are not named have the roles of
                their contract.
            etag: of the version that was read before; another one is refused.

        Raises:
            InvalidArgument: what a policy cannot say; `violations` names the rule.
            Aborted: somebody else has changed the policy (ETAG_MISMATCH).
        """
        request = pb.UpdatePolicyRequest(
            rules=[
                access_service_pb2.MethodRoles(method=method, roles=map(_role, roles))
                for method, roles in rules.items()
            ],
            etag=etag,
        )
        return await self._connection.unary(self._stub.UpdatePolicy, request, pb.Policy)

    async def rollback(self, version: int, *, etag: str = "") -> pb.Policy:
        """Make a new version with the content of an older one; 0 is the contracts' own."""
        request = pb.RollbackPolicyRequest(name=_version_name(version), etag=etag)
        return await self._connection.unary(self._stub.RollbackPolicy, request, pb.Policy)

    async def test(
        self, method: str, *, user: str = "", role: RoleName | None = None, project: str = ""
    ) -> pb.TestPolicyResponse:
        """Tell whether somebody may call a method, and why.

        Args:
            method: `/package.Service/Method`.
            user: who would call, with the roles of now; or
            role: anybody with this role.
            project: what the call would be about; nothing inside a project when empty.
        """
        if bool(user) == (role is not None):
            raise InvalidArgument("Say who would call: a user or a role.", reason="FIELD_INVALID")
        request = pb.TestPolicyRequest(
            method=method, project=project_name(project) if project else ""
        )
        if role is not None:
            request.role = _role(role)
        else:
            request.user = user_name(user)
        return await self._connection.unary(self._stub.TestPolicy, request, pb.TestPolicyResponse)

    async def import_prototype(
        self, content: str, *, validate_only: bool = False, etag: str = ""
    ) -> pb.ImportPolicyResponse:
        """Make a new version from a policy file of the prototype.

        Args:
            content: the file.
            validate_only: tell what would come of it, and change nothing.
            etag: as in `update`.

        Raises:
            InvalidArgument: nothing in the file is known (FIELD_INVALID).
        """
        request = pb.ImportPolicyRequest(content=content, validate_only=validate_only, etag=etag)
        return await self._connection.unary(
            self._stub.ImportPolicy, request, pb.ImportPolicyResponse
        )


def _version_name(version: int) -> str:
    return f"policies/{version}"


def _role(name: RoleName) -> access_pb2.Role.ValueType:
    return access_pb2.Role.Value(f"ROLE_{name}")
