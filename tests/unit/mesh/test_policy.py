"""The access rules that the contracts state."""

import importlib
from pathlib import Path

import hanami
import pytest
from google.protobuf.descriptor import ServiceDescriptor

from mesh.access import Role
from mesh.policy import policy_of

# Every other method needs a token. A new line here is a decision.
PUBLIC = {
    "/hanami.misaki.v1.TokenService/Login",
    "/hanami.misaki.v1.TokenService/RefreshToken",
    "/hanami.misaki.v1.TokenService/IssueServiceToken",
    "/hanami.misaki.v1.TokenService/RevokeToken",
    "/hanami.misaki.v1.TokenService/ExchangeApiKey",
    "/hanami.misaki.v1.TokenService/ExchangeClientSecret",
    "/hanami.misaki.v1.OauthService/IssueToken",
    "/hanami.misaki.v1.ProviderLoginService/ListLoginProviders",
    "/hanami.misaki.v1.ProviderLoginService/StartProviderLogin",
    "/hanami.misaki.v1.ProviderLoginService/FinishProviderLogin",
    "/hanami.misaki.v1.TokenService/GetJsonWebKeySet",
    # What clients of the Open Inference Protocol ask before anything else; no data of users.
    "/inference.GRPCInferenceService/ServerLive",
    "/inference.GRPCInferenceService/ServerReady",
    "/inference.GRPCInferenceService/ServerMetadata",
}
# Every other stream ends with its token. A new line here is a decision as well.
RENEWING = {
    "/hanami.kyouko.v1.LearningService/Learn",
    "/hanami.kyouko.v1.LearningService/OpenLearning",
}
# Everybody may change what is their own: the domain looks at whose it is.
OWN = {
    "/hanami.misaki.v1.SessionService/DeleteSession",
    "/hanami.misaki.v1.UserService/UpdateUser",
}
WRITING = ("Create", "Delete", "Update", "Cancel", "Upload")


def services() -> list[ServiceDescriptor]:
    """Return every service of our contracts."""
    found: list[ServiceDescriptor] = []
    for root in map(Path, hanami.__path__):
        for file in sorted(root.rglob("*_pb2.py")):
            module = ".".join(("hanami", *file.relative_to(root).with_suffix("").parts))
            found += importlib.import_module(module).DESCRIPTOR.services_by_name.values()
    return found


METHODS = [
    f"/{service.full_name}/{method.name}" for service in services() for method in service.methods
]
POLICY = policy_of(service.full_name for service in services())


def test_all_contracts_are_looked_at() -> None:
    """Services of all five parts are found, and the public one that kyouko speaks."""
    packages = {service.file.package for service in services()}

    parts = {"azuki", "kyouko", "misaki", "shiori", "torii"}
    assert {f"hanami.{part}.v1" for part in parts} | {"inference"} == packages


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_an_access_rule(method: str) -> None:
    """No method of any contract was forgotten: each lets somebody in."""
    rule = POLICY.rule_of(method)

    assert rule.public or rule.any_principal or rule.roles


@pytest.mark.parametrize("method", METHODS)
def test_streams_that_outlive_their_token_are_the_known_ones(method: str) -> None:
    """Only those go on that bring fresh tokens."""
    assert (method in RENEWING) == POLICY.rule_of(method).renews_token


@pytest.mark.parametrize("method", METHODS)
def test_public_methods_are_the_known_ones(method: str) -> None:
    """Only logging in, the public keys and words about the server itself need no token."""
    assert (method in PUBLIC) == POLICY.rule_of(method).public


@pytest.mark.parametrize("method", METHODS)
def test_viewers_change_nothing(method: str) -> None:
    """No method that writes lets viewers, or everybody, in."""
    rule = POLICY.rule_of(method)
    writes = method.rpartition("/")[2].startswith(WRITING)

    if writes:
        assert Role.VIEWER not in rule.roles
        assert rule.any_principal == (method in OWN)


@pytest.mark.parametrize("method", METHODS)
def test_higher_roles_may_what_lower_ones_may(method: str) -> None:
    """Where a viewer may, a member may; where a member may, admins may."""
    roles = POLICY.rule_of(method).roles

    if Role.VIEWER in roles:
        assert Role.MEMBER in roles
    if Role.MEMBER in roles:
        assert {Role.PROJECT_ADMIN, Role.ADMIN} <= roles


def test_unknown_method_lets_nobody_in() -> None:
    """A method without a rule denies everybody."""
    rule = POLICY.rule_of("/hanami.misaki.v1.UserService/BecomeAdmin")

    assert (False, False, frozenset()) == (rule.public, rule.any_principal, rule.roles)


@pytest.mark.parametrize(
    "method",
    [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ],
)
def test_probes_and_reflection_are_public(method: str) -> None:
    """Standard services without data of users need no token."""
    assert POLICY.rule_of(method).public


def test_channelz_is_for_admins_and_services() -> None:
    """Who is connected is nobody else's business."""
    rule = POLICY.rule_of("/grpc.channelz.v1.Channelz/GetServers")

    assert (False, False, frozenset({Role.ADMIN, Role.SERVICE})) == (
        rule.public,
        rule.any_principal,
        rule.roles,
    )
