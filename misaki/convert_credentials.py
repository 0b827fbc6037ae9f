"""Messages to and from the credentials of projects."""

from datetime import datetime
from typing import Any

from hanami.misaki.v1 import api_key_service_pb2, client_service_pb2, token_service_pb2

from mesh import names
from mesh.access import Action
from mesh.errors import InvalidArgument
from mesh.pages import Page
from mesh.times import moment_of
from misaki import convert
from misaki.domain.model import ProjectCredential, project_name
from misaki.ports import SignedToken

_ACTIONS = {
    Action.LEARN: api_key_service_pb2.KEY_ACTION_LEARN,
    Action.PREDICT: api_key_service_pb2.KEY_ACTION_PREDICT,
}


def actions_of(key: api_key_service_pb2.ApiKey) -> frozenset[Action]:
    """Return the actions that a checked message names."""
    return frozenset(action for action, number in _ACTIONS.items() if number in key.actions)


def network_of(key: api_key_service_pb2.ApiKey, project_id: str) -> str:
    """Return the id of the network that a key is for; empty for all of its project.

    Raises:
        InvalidArgument: FIELD_INVALID: the network is one of another project.
    """
    if not key.network:
        return ""
    project, network_id = names.parse("projects/*/networks/*", key.network, field="api_key.network")
    if project != project_id:
        raise InvalidArgument.for_field(
            "api_key.network", f"is none of {project_name(project_id)}, where the key is"
        )
    return network_id


def expire_time_of(message: Any) -> datetime | None:
    """Return the end that a message asks for; None for never.

    Raises:
        InvalidArgument: FIELD_INVALID: it is no moment.
    """
    if not message.HasField("expire_time"):
        return None
    return moment_of(message.expire_time, field="expire_time")


def api_key_message(key: ProjectCredential) -> api_key_service_pb2.ApiKey:
    """Return an API key as it goes over the wire."""
    message = api_key_service_pb2.ApiKey(actions=[_ACTIONS[a] for a in sorted(key.actions)])
    if key.network_id:
        message.network = f"{project_name(key.project_id)}/networks/{key.network_id}"
    _fill(message, key)
    return message


def api_keys_message(page: Page[ProjectCredential]) -> api_key_service_pb2.ListApiKeysResponse:
    """Return a page of API keys."""
    return api_key_service_pb2.ListApiKeysResponse(
        api_keys=map(api_key_message, page.items), next_page_token=page.next_page_token
    )


def client_message(client: ProjectCredential) -> client_service_pb2.Client:
    """Return a client as it goes over the wire."""
    message = client_service_pb2.Client()
    if client.role is not None:
        message.role = convert.role_number(client.role)
    _fill(message, client)
    return message


def clients_message(page: Page[ProjectCredential]) -> client_service_pb2.ListClientsResponse:
    """Return a page of clients."""
    return client_service_pb2.ListClientsResponse(
        clients=map(client_message, page.items), next_page_token=page.next_page_token
    )


def access_token_message(
    credential: ProjectCredential, token: SignedToken
) -> token_service_pb2.AccessToken:
    """Return the access token of a device or a program."""
    message = token_service_pb2.AccessToken(access_token=token.token, principal=credential.name)
    message.access_expire_time.FromDatetime(token.expire_time)
    return message


def _fill(message: Any, credential: ProjectCredential) -> None:
    """Set the fields that both kinds have."""
    message.name = credential.name
    message.display_name = credential.display_name
    message.creator = credential.creator
    message.etag = credential.etag
    message.create_time.FromDatetime(credential.create_time)
    if credential.expire_time is not None:
        message.expire_time.FromDatetime(credential.expire_time)
    if credential.last_use_time is not None:
        message.last_use_time.FromDatetime(credential.last_use_time)
