"""REST and JSON through Envoy's transcoder."""

import subprocess

import httpx
from hanami.kyouko.v1 import network_service_pb2

from tests.e2e.conftest import PASSWORD, Login, RunningMesh


def test_login_works_by_curl(mesh: RunningMesh, member: Login) -> None:
    """A JSON call by curl logs in and returns a token."""
    body = f'{{"user_id": "{member.user_id}", "password": "{PASSWORD}"}}'

    done = subprocess.run(
        ["curl", "--silent", "--fail", "--json", body, f"{mesh.url}/v1/tokens:login"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (0, True) == (done.returncode, '"access_token"' in done.stdout)


def test_a_network_is_read_as_json(
    mesh: RunningMesh, network: network_service_pb2.Network, member: Login
) -> None:
    """GET on the resource's name returns it with the contract's field names."""
    answer = httpx.get(f"{mesh.url}/v1/{network.name}", headers=member.headers)

    assert 200 == answer.status_code
    assert network.name == answer.json()["name"]
    assert "0" == answer.json()["statistics"]["connections"]


def test_a_bad_field_is_named_in_json(mesh: RunningMesh, project: str, member: Login) -> None:
    """A broken rule answers 400 with the machine-readable reason and the field."""
    answer = httpx.post(
        f"{mesh.url}/v1/{project}/networks",
        json={"network_id": "Not Allowed", "template": "templates/flat"},
        headers=member.headers,
    )

    details = {detail["@type"].rpartition(".")[2]: detail for detail in answer.json()["details"]}
    assert 400 == answer.status_code
    assert "FIELD_INVALID" == details["ErrorInfo"]["reason"]
    fields = [v["field"] for v in details["BadRequest"]["field_violations"]]
    assert ["network_id"] == fields


def test_without_a_token_json_gets_401(mesh: RunningMesh, project: str) -> None:
    """A JSON call without a token is refused before it reaches a service."""
    answer = httpx.get(f"{mesh.url}/v1/{project}/networks")

    assert 401 == answer.status_code


def test_the_keys_are_served_where_clients_look_for_them(mesh: RunningMesh) -> None:
    """The key set is at the well-known place, as RFC 7517 writes it."""
    keys = httpx.get(f"{mesh.url}/.well-known/jwks.json").json()["keys"]

    assert [("OKP", "Ed25519", "EdDSA")] == [(k["kty"], k["crv"], k["alg"]) for k in keys]
