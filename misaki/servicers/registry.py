"""Every gRPC service of misaki, and how a server gets it."""

from collections.abc import Callable, Sequence
from typing import Any

import grpc
from hanami.misaki.v1 import (
    access_service_pb2_grpc,
    api_key_service_pb2_grpc,
    client_service_pb2_grpc,
    oauth_service_pb2,
    oauth_service_pb2_grpc,
    policy_service_pb2_grpc,
    project_service_pb2_grpc,
    provider_login_service_pb2_grpc,
    quota_service_pb2_grpc,
    session_service_pb2_grpc,
    signing_key_service_pb2_grpc,
    token_service_pb2_grpc,
    user_service_pb2_grpc,
)

from mesh.server import Servicer

# Of each service its generated base, its name, and what adds it to a server.
_CONTRACTS: Sequence[tuple[type, str, Callable[[Any, grpc.aio.Server], None]]] = [
    (
        token_service_pb2_grpc.TokenServiceServicer,
        "TokenService",
        token_service_pb2_grpc.add_TokenServiceServicer_to_server,
    ),
    (
        session_service_pb2_grpc.SessionServiceServicer,
        "SessionService",
        session_service_pb2_grpc.add_SessionServiceServicer_to_server,
    ),
    (
        user_service_pb2_grpc.UserServiceServicer,
        "UserService",
        user_service_pb2_grpc.add_UserServiceServicer_to_server,
    ),
    (
        project_service_pb2_grpc.ProjectServiceServicer,
        "ProjectService",
        project_service_pb2_grpc.add_ProjectServiceServicer_to_server,
    ),
    (
        access_service_pb2_grpc.AccessServiceServicer,
        "AccessService",
        access_service_pb2_grpc.add_AccessServiceServicer_to_server,
    ),
    (
        api_key_service_pb2_grpc.ApiKeyServiceServicer,
        "ApiKeyService",
        api_key_service_pb2_grpc.add_ApiKeyServiceServicer_to_server,
    ),
    (
        client_service_pb2_grpc.ClientServiceServicer,
        "ClientService",
        client_service_pb2_grpc.add_ClientServiceServicer_to_server,
    ),
    (
        oauth_service_pb2_grpc.OauthServiceServicer,
        # Its messages are of another package, so nothing else makes its contract known.
        oauth_service_pb2.DESCRIPTOR.services_by_name["OauthService"].name,
        oauth_service_pb2_grpc.add_OauthServiceServicer_to_server,
    ),
    (
        policy_service_pb2_grpc.PolicyServiceServicer,
        "PolicyService",
        policy_service_pb2_grpc.add_PolicyServiceServicer_to_server,
    ),
    (
        provider_login_service_pb2_grpc.ProviderLoginServiceServicer,
        "ProviderLoginService",
        provider_login_service_pb2_grpc.add_ProviderLoginServiceServicer_to_server,
    ),
    (
        quota_service_pb2_grpc.QuotaServiceServicer,
        "QuotaService",
        quota_service_pb2_grpc.add_QuotaServiceServicer_to_server,
    ),
    (
        signing_key_service_pb2_grpc.SigningKeyServiceServicer,
        "SigningKeyService",
        signing_key_service_pb2_grpc.add_SigningKeyServiceServicer_to_server,
    ),
]


def named(*servicers: object) -> Sequence[Servicer]:
    """Return servicers with what adds each of them to a server, by its generated base."""
    return [
        next(
            Servicer(f"hanami.misaki.v1.{service}", add, servicer)
            for base, service, add in _CONTRACTS
            if isinstance(servicer, base)
        )
        for servicer in servicers
    ]
