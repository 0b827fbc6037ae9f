"""Which calls are written, and what they are about."""

import pytest
from google.protobuf.message import Message
from hanami.kyouko.v1 import learning_service_pb2, network_service_pb2
from hanami.misaki.v1 import (
    api_key_service_pb2,
    project_service_pb2,
    quota_service_pb2,
    token_service_pb2,
    user_service_pb2,
)
from hanami.shiori.v1 import dataset_service_pb2

from mesh.audit import rules, subjects
from mesh.audit.rules import AuditRules
from torii.contracts import grpc_services

ALL = AuditRules(name for names in grpc_services().values() for name in names)


@pytest.mark.parametrize(
    ("method", "rule"),
    [
        ("/hanami.misaki.v1.TokenService/Login", rules.ALWAYS),
        ("/hanami.misaki.v1.TokenService/RefreshToken", rules.ALWAYS),
        ("/hanami.misaki.v1.TokenService/IssueServiceToken", rules.ALWAYS),
        ("/hanami.misaki.v1.TokenService/GetJsonWebKeySet", rules.REFUSALS),
        ("/hanami.misaki.v1.UserService/CreateUser", rules.ALWAYS),
        ("/hanami.misaki.v1.ProjectService/DeleteMember", rules.ALWAYS),
        ("/hanami.misaki.v1.ProjectService/ListMembers", rules.REFUSALS),
        ("/hanami.kyouko.v1.NetworkService/CreateNetwork", rules.ALWAYS),
        ("/hanami.kyouko.v1.TaskService/CancelTask", rules.ALWAYS),
        ("/hanami.kyouko.v1.TaskService/WatchTask", rules.REFUSALS),
        ("/hanami.kyouko.v1.TemplateService/ParseTemplate", rules.REFUSALS),
        ("/hanami.kyouko.v1.LearningService/Learn", rules.ALWAYS),
        ("/hanami.kyouko.v1.LearningService/OpenLearning", rules.ALWAYS),
        ("/hanami.kyouko.v1.LearningService/SendLearning", rules.NEVER),
        ("/hanami.shiori.v1.DatasetService/UploadDataset", rules.ALWAYS),
        ("/hanami.shiori.v1.DatasetService/ReadDataset", rules.ALWAYS),
        ("/hanami.shiori.v1.AuditService/RecordAuditEntries", rules.NEVER),
        ("/hanami.shiori.v1.ErrorService/RecordErrors", rules.NEVER),
        ("/inference.GRPCInferenceService/ModelInfer", rules.REFUSALS),
        ("/grpc.health.v1.Health/Check", rules.NEVER),
    ],
)
def test_changes_and_streams_are_written_and_reads_only_when_refused(
    method: str, rule: int
) -> None:
    """The contracts say of every method what is written of it."""
    assert rule == ALL.rule_of(method)


def test_logins_are_the_calls_without_a_token() -> None:
    """Only where no token is asked for may a request say who somebody is."""
    assert ALL.is_login("/hanami.misaki.v1.TokenService/Login")
    assert not ALL.is_login("/hanami.misaki.v1.UserService/CreateUser")


@pytest.mark.parametrize(
    ("request_", "answer", "expected"),
    [
        (
            network_service_pb2.DeleteNetworkRequest(name="projects/p/networks/n"),
            None,
            "projects/p/networks/n",
        ),
        (
            network_service_pb2.CreateNetworkRequest(parent="projects/p", network_id="n"),
            network_service_pb2.Network(name="projects/p/networks/n"),
            "projects/p/networks/n",
        ),
        (
            network_service_pb2.CreateNetworkRequest(parent="projects/p", network_id="n"),
            None,
            "projects/p",
        ),
        (
            learning_service_pb2.OpenLearningRequest(
                open=learning_service_pb2.LearnOpen(network="projects/p/networks/n")
            ),
            None,
            "projects/p/networks/n",
        ),
        (user_service_pb2.CreateUserRequest(user_id="alice", password="rosebud!"), None, ""),
        (
            api_key_service_pb2.CreateApiKeyRequest(parent="projects/p"),
            api_key_service_pb2.CreateApiKeyResponse(
                api_key=api_key_service_pb2.ApiKey(name="projects/p/apiKeys/k"), secret="hk_1234"
            ),
            "projects/p/apiKeys/k",
        ),
        (None, dataset_service_pb2.Dataset(name="projects/p/datasets/d"), "projects/p/datasets/d"),
        (network_service_pb2.GetNetworkRequest(name="a secret, not a name"), None, ""),
        (network_service_pb2.GetNetworkRequest(name="projects/" + "p" * 300), None, ""),
        (None, None, ""),
        (
            None,
            quota_service_pb2.UserQuota(name="users/alice/quota"),
            "users/alice/quota",
        ),
        (
            quota_service_pb2.UpdateProjectQuotaRequest(
                quota=quota_service_pb2.ProjectQuota(name="projects/p/quota")
            ),
            None,
            "projects/p/quota",
        ),
    ],
)
def test_resource_is_what_is_named(
    request_: Message | None, answer: Message | None, expected: str
) -> None:
    """A call is about what its answer, or else its request, names; only names count."""
    assert expected == subjects.resource_of(request_, answer)


@pytest.mark.parametrize(
    ("resource", "project"),
    [
        ("projects/p/networks/n", "projects/p"),
        ("projects/p", "projects/p"),
        ("projects", ""),
        ("users/alice", ""),
        ("", ""),
    ],
)
def test_project_is_the_beginning_of_a_name(resource: str, project: str) -> None:
    """Whatever lies in a project is the business of its admins."""
    assert project == subjects.project_of(resource)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (token_service_pb2.LoginRequest(user_id="alice", password="rosebud!"), "users/alice"),
        (token_service_pb2.LoginRequest(user_id="Ro$ebud 1!", password="x"), ""),
        (
            token_service_pb2.IssueServiceTokenRequest(service="kyouko", secret="x"),
            "services/kyouko",
        ),
        (token_service_pb2.RefreshTokenRequest(refresh_token="eyJ"), ""),
        (None, ""),
    ],
)
def test_claim_has_the_form_of_an_id(request_: Message | None, expected: str) -> None:
    """A password typed in the place of a user is no id, and not written."""
    assert expected == subjects.claimed_by(request_)


def test_answer_of_a_login_proves_who_it_was() -> None:
    """A renewed token says whose it is, though the request did not."""
    pair = token_service_pb2.TokenPair(access_token="eyJ", user="users/alice")

    device = token_service_pb2.AccessToken(access_token="eyJ", principal="projects/p/apiKeys/k")

    assert "users/alice" == subjects.proven_by(pair)
    assert "projects/p/apiKeys/k" == subjects.proven_by(device)
    assert "" == subjects.proven_by(project_service_pb2.Project(name="projects/p"))
