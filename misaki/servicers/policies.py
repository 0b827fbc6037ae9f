"""`hanami.misaki.v1.PolicyService`."""

from typing import Any

import grpc
from hanami.misaki.v1 import policy_service_pb2 as pb
from hanami.misaki.v1 import policy_service_pb2_grpc

from mesh import names, pages
from mesh.calls import current_caller
from misaki import convert_policy as convert
from misaki.domain.policies import Policies

Context = grpc.aio.ServicerContext[Any, Any]


class PolicyServicer(policy_service_pb2_grpc.PolicyServiceServicer):
    """Manages which roles may call which method."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    async def GetPolicy(self, request: pb.GetPolicyRequest, context: Context) -> pb.Policy:
        """Return a version."""
        (policy_id,) = names.parse("policies/*", request.name)
        version = convert.version_of(policy_id)
        return convert.policy_message(await self._policies.get(current_caller(), version))

    async def ListPolicies(
        self, request: pb.ListPoliciesRequest, context: Context
    ) -> pb.ListPoliciesResponse:
        """Return a page of versions."""
        wanted = pages.page_request(request.page_size, request.page_token, listing="policies")
        before = pages.number_after(wanted) if wanted.after else None
        policies = await self._policies.list(
            current_caller(), before=before, limit=wanted.limit + 1
        )
        page = pages.page_of(wanted, policies, lambda policy: policy.etag)
        return convert.policies_message(page)

    async def ListMethodRules(
        self, request: pb.ListMethodRulesRequest, context: Context
    ) -> pb.ListMethodRulesResponse:
        """Return a page of methods."""
        wanted = pages.page_request(request.page_size, request.page_token, listing="methodRules")
        methods = await self._policies.methods(
            current_caller(), after=wanted.after, limit=wanted.limit + 1
        )
        page = pages.page_of(wanted, methods, lambda method: method.contract.method)
        return convert.methods_message(page)

    async def UpdatePolicy(self, request: pb.UpdatePolicyRequest, context: Context) -> pb.Policy:
        """Make a new version."""
        rules = convert.rules_of(request.rules)
        policy = await self._policies.update(current_caller(), rules, etag=request.etag)
        return convert.policy_message(policy)

    async def RollbackPolicy(
        self, request: pb.RollbackPolicyRequest, context: Context
    ) -> pb.Policy:
        """Make a new version of an older one."""
        (policy_id,) = names.parse("policies/*", request.name)
        policy = await self._policies.roll_back(current_caller(), int(policy_id), etag=request.etag)
        return convert.policy_message(policy)

    async def TestPolicy(
        self, request: pb.TestPolicyRequest, context: Context
    ) -> pb.TestPolicyResponse:
        """Tell whether somebody may call a method."""
        decision = await self._policies.test(
            current_caller(),
            convert.asked_about(request),
            method=request.method,
            project_id=request.project.removeprefix("projects/"),
        )
        return convert.decision_message(decision)

    async def ImportPolicy(
        self, request: pb.ImportPolicyRequest, context: Context
    ) -> pb.ImportPolicyResponse:
        """Make a new version from a file of the prototype."""
        policy, found = await self._policies.take_over(
            current_caller(),
            request.content,
            etag=request.etag,
            validate_only=request.validate_only,
        )
        return convert.import_message(policy, found, validate_only=request.validate_only)
