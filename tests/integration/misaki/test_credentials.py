"""API keys and clients on a real misaki."""

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import grpc
import jwt
import pytest
from google.api import httpbody_pb2
from hanami.misaki.v1 import (
    api_key_service_pb2,
    api_key_service_pb2_grpc,
    client_service_pb2,
    client_service_pb2_grpc,
    oauth_service_pb2_grpc,
    project_service_pb2,
    token_service_pb2,
)
from hanami.type.v1 import access_pb2

from tests.integration.meshes import Metadata, RunningMisaki, bearer
from tests.integration.statuses import refusal

GARDEN = "projects/garden"
LEARN = api_key_service_pb2.KEY_ACTION_LEARN


def _keys(misaki: RunningMisaki) -> "api_key_service_pb2_grpc.ApiKeyServiceAsyncStub":
    return api_key_service_pb2_grpc.ApiKeyServiceStub(misaki.channel)


def _clients(misaki: RunningMisaki) -> "client_service_pb2_grpc.ClientServiceAsyncStub":
    return client_service_pb2_grpc.ClientServiceStub(misaki.channel)


def _new_key(key_id: str = "sensor", **fields: Any) -> api_key_service_pb2.CreateApiKeyRequest:
    values: dict[str, Any] = {"actions": [LEARN]} | fields
    return api_key_service_pb2.CreateApiKeyRequest(
        parent=GARDEN, api_key_id=key_id, api_key=api_key_service_pb2.ApiKey(**values)
    )


def _new_client(client_id: str = "importer") -> client_service_pb2.CreateClientRequest:
    return client_service_pb2.CreateClientRequest(
        parent=GARDEN,
        client_id=client_id,
        client=client_service_pb2.Client(role=access_pb2.ROLE_VIEWER),
    )


@pytest.fixture
async def alice(misaki: RunningMisaki) -> Metadata:
    """Return the metadata of the project admin of a garden."""
    await misaki.create_project("garden")
    return await misaki.create_user("alice", garden="PROJECT_ADMIN")


async def _exchange(misaki: RunningMisaki, secret: str) -> token_service_pb2.AccessToken:
    return await misaki.tokens.ExchangeApiKey(
        token_service_pb2.ExchangeApiKeyRequest(secret=secret)
    )


async def test_key_is_shown_once_and_exchanged(misaki: RunningMisaki, alice: Metadata) -> None:
    """The secret comes with the creation only; the token carries exactly the key's scope."""
    created = await _keys(misaki).CreateApiKey(
        _new_key(network=f"{GARDEN}/networks/roses"), metadata=alice
    )

    token = await _exchange(misaki, created.secret)
    read = await _keys(misaki).GetApiKey(
        api_key_service_pb2.GetApiKeyRequest(name=created.api_key.name), metadata=alice
    )

    claims = jwt.decode(token.access_token, options={"verify_signature": False})
    assert {"project": "garden", "network": "roses", "actions": ["learn"]} == claims["device"]
    assert created.secret not in str(read)
    assert ("users/alice", f"{GARDEN}/networks/roses") == (read.creator, read.network)
    assert read.last_use_time.seconds > 0
    assert created.api_key.name == token.principal == claims["sub"]


async def test_device_may_not_do_what_users_do(misaki: RunningMisaki, alice: Metadata) -> None:
    """A device reads no project, and manages no keys."""
    created = await _keys(misaki).CreateApiKey(_new_key(), metadata=alice)
    device = bearer((await _exchange(misaki, created.secret)).access_token)

    answers = [
        await refusal(
            misaki.projects.GetProject(
                project_service_pb2.GetProjectRequest(name=GARDEN), metadata=device
            )
        ),
        await refusal(
            misaki.projects.ListProjects(project_service_pb2.ListProjectsRequest(), metadata=device)
        ),
        await refusal(_keys(misaki).CreateApiKey(_new_key("more"), metadata=device)),
    ]

    assert {(grpc.StatusCode.PERMISSION_DENIED, "ROLE_INSUFFICIENT")} == {
        (answer.code, answer.reason) for answer in answers
    }


async def test_deleted_key_is_worth_nothing_at_once(misaki: RunningMisaki, alice: Metadata) -> None:
    """It is exchanged no more, and the tokens it was exchanged for are taken back."""
    created = await _keys(misaki).CreateApiKey(_new_key(), metadata=alice)
    device = bearer((await _exchange(misaki, created.secret)).access_token)

    await _keys(misaki).DeleteApiKey(
        api_key_service_pb2.DeleteApiKeyRequest(
            name=created.api_key.name, etag=created.api_key.etag
        ),
        metadata=alice,
    )

    exchange = await refusal(_exchange(misaki, created.secret))
    projects = project_service_pb2.ListProjectsRequest()
    call = await refusal(misaki.projects.ListProjects(projects, metadata=device))
    assert (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID") == (
        exchange.code,
        exchange.reason,
    )
    assert "TOKEN_REVOKED" == call.reason


async def test_expired_key_is_refused(misaki: RunningMisaki, alice: Metadata) -> None:
    """A key lasts as long as it was made for, and its token no longer."""
    request = _new_key()
    request.api_key.expire_time.GetCurrentTime()
    request.api_key.expire_time.seconds += 2
    created = await _keys(misaki).CreateApiKey(request, metadata=alice)

    token = await _exchange(misaki, created.secret)
    await asyncio.sleep(2.1)
    answer = await refusal(_exchange(misaki, created.secret))

    assert "CREDENTIALS_INVALID" == answer.reason
    assert token.access_expire_time.seconds <= created.api_key.expire_time.seconds


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"actions": []}, "api_key.actions"),
        ({"actions": [0]}, "api_key.actions[0]"),
        ({"network": "projects/kitchen/networks/roses"}, "api_key.network"),
        ({"network": "roses"}, "api_key.network"),
        ({"display_name": "x" * 129}, "api_key.display_name"),
    ],
)
async def test_bad_key_names_the_field(
    misaki: RunningMisaki, alice: Metadata, fields: dict[str, Any], field: str
) -> None:
    """No action, and a network of another project, are refused by name."""
    answer = await refusal(_keys(misaki).CreateApiKey(_new_key(**fields), metadata=alice))

    assert (grpc.StatusCode.INVALID_ARGUMENT, (field,)) == (answer.code, answer.fields)


async def test_keys_are_for_project_admins(misaki: RunningMisaki, alice: Metadata) -> None:
    """Members may not, strangers find nothing, and both ways of asking agree."""
    await _keys(misaki).CreateApiKey(_new_key(), metadata=alice)
    member = await misaki.create_user("bob", garden="MEMBER")
    await misaki.create_project("kitchen")
    stranger = await misaki.create_user("carol", kitchen="PROJECT_ADMIN")
    get = api_key_service_pb2.GetApiKeyRequest(name=f"{GARDEN}/apiKeys/sensor")

    codes = [
        (await refusal(call)).code
        for who in (member, stranger)
        for call in (
            _keys(misaki).GetApiKey(get, metadata=who),
            _keys(misaki).CreateApiKey(_new_key("more"), metadata=who),
            _keys(misaki).ListApiKeys(
                api_key_service_pb2.ListApiKeysRequest(parent=GARDEN), metadata=who
            ),
            _clients(misaki).CreateClient(_new_client(), metadata=who),
        )
    ]

    denied, missing = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND
    assert [denied] * 4 + [missing] * 4 == codes


async def test_pages_of_keys_hold_each_once(misaki: RunningMisaki, alice: Metadata) -> None:
    """Keys are listed by name, in pages."""
    for key_id in ("k3", "k1", "k2"):
        await _keys(misaki).CreateApiKey(_new_key(key_id), metadata=alice)

    first = await _keys(misaki).ListApiKeys(
        api_key_service_pb2.ListApiKeysRequest(parent=GARDEN, page_size=2), metadata=alice
    )
    rest = await _keys(misaki).ListApiKeys(
        api_key_service_pb2.ListApiKeysRequest(
            parent=GARDEN, page_size=2, page_token=first.next_page_token
        ),
        metadata=alice,
    )

    names = [key.name for key in [*first.api_keys, *rest.api_keys]]
    assert [f"{GARDEN}/apiKeys/k{number}" for number in (1, 2, 3)] == names


async def test_client_acts_with_its_role(misaki: RunningMisaki, alice: Metadata) -> None:
    """A viewer's client reads the project and changes nothing; deleted, it is nobody."""
    created = await _clients(misaki).CreateClient(_new_client(), metadata=alice)
    token = await misaki.tokens.ExchangeClientSecret(
        token_service_pb2.ExchangeClientSecretRequest(
            client=created.client.name, secret=created.secret
        )
    )
    program = bearer(token.access_token)
    get = project_service_pb2.GetProjectRequest(name=GARDEN)

    read = await misaki.projects.GetProject(get, metadata=program)
    write = await refusal(_clients(misaki).CreateClient(_new_client("more"), metadata=program))
    listed = await _clients(misaki).ListClients(
        client_service_pb2.ListClientsRequest(parent=GARDEN), metadata=alice
    )
    await _clients(misaki).DeleteClient(
        client_service_pb2.DeleteClientRequest(name=created.client.name), metadata=alice
    )
    after = await refusal(misaki.projects.GetProject(get, metadata=program))
    gone = await refusal(
        _clients(misaki).GetClient(
            client_service_pb2.GetClientRequest(name=created.client.name), metadata=alice
        )
    )

    assert GARDEN == read.name
    assert grpc.StatusCode.PERMISSION_DENIED == write.code
    assert [created.client.name] == [client.name for client in listed.clients]
    assert "TOKEN_REVOKED" == after.reason
    assert grpc.StatusCode.NOT_FOUND == gone.code


async def test_oauth_endpoint_speaks_the_standard(misaki: RunningMisaki, alice: Metadata) -> None:
    """A form goes in, the standard's JSON comes out, and its token works."""
    created = await _clients(misaki).CreateClient(_new_client(), metadata=alice)
    oauth = oauth_service_pb2_grpc.OauthServiceStub(misaki.channel)
    form = {
        "grant_type": "client_credentials",
        "client_id": created.client.name,
        "client_secret": created.secret,
    }

    def body(fields: dict[str, str]) -> httpbody_pb2.HttpBody:
        return httpbody_pb2.HttpBody(
            content_type="application/x-www-form-urlencoded", data=urlencode(fields).encode()
        )

    answer = json.loads((await oauth.IssueToken(body(form))).data)
    wrong = await refusal(oauth.IssueToken(body(form | {"client_secret": "guess"})))

    read = await misaki.projects.GetProject(
        project_service_pb2.GetProjectRequest(name=GARDEN), metadata=bearer(answer["access_token"])
    )
    assert GARDEN == read.name
    assert ("Bearer", True) == (answer["token_type"], 800 < answer["expires_in"] <= 900)
    assert (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID") == (wrong.code, wrong.reason)
