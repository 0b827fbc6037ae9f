"""Programs that know OAuth 2 and nothing of us, through the gateway."""

import warnings
from pathlib import Path

import authlib.deprecate
import httpx
import pytest
from hanami.misaki.v1 import client_service_pb2, client_service_pb2_grpc
from hanami.type.v1 import access_pb2

from tests.integration.meshes import RunningMisaki
from tests.integration.misaki.gateways import gateway_to

with warnings.catch_warnings():
    # It wants the successor of httpx, which nothing else here needs.
    warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)
    from authlib.integrations.httpx_client import AsyncOAuth2Client


async def _client(misaki: RunningMisaki) -> tuple[str, str]:
    await misaki.create_project("garden")
    created = await client_service_pb2_grpc.ClientServiceStub(misaki.channel).CreateClient(
        client_service_pb2.CreateClientRequest(
            parent="projects/garden",
            client_id="importer",
            client=client_service_pb2.Client(role=access_pb2.ROLE_VIEWER),
        ),
        metadata=await misaki.admin(),
    )
    return created.client.name, created.secret


async def test_an_unmodified_oauth_library_gets_tokens_that_work(
    misaki: RunningMisaki, tmp_path: Path
) -> None:
    """By form and by HTTP basic, the two ways of the standard."""
    name, secret = await _client(misaki)

    async with gateway_to(misaki, tmp_path) as url:
        answers = []
        for method in ("client_secret_post", "client_secret_basic"):
            async with AsyncOAuth2Client(
                name, secret, token_endpoint_auth_method=method
            ) as program:
                token = await program.fetch_token(
                    f"{url}/v1/oauth2/token", grant_type="client_credentials"
                )
                answers.append((token, await program.get(f"{url}/v1/projects/garden")))

    for token, project in answers:
        assert "Bearer" == token["token_type"]
        assert (200, "projects/garden") == (project.status_code, project.json()["name"])


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}, 401),
        ({"grant_type": "password", "username": "x", "password": "y"}, 400),
        ({}, 400),
    ],
)
async def test_refusals_have_the_status_of_the_standard(
    misaki: RunningMisaki, tmp_path: Path, form: dict[str, str], status: int
) -> None:
    """A wrong secret is 401, a wrong request 400."""
    async with gateway_to(misaki, tmp_path) as url, httpx.AsyncClient() as web:
        answer = await web.post(f"{url}/v1/oauth2/token", data=form)

    assert status == answer.status_code
