"""Token requests of RFC 6749."""

import base64
import json
from datetime import timedelta
from urllib.parse import quote_plus, urlencode

import pytest
from google.api import httpbody_pb2
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import DomainError, InvalidArgument, Unauthenticated
from misaki.convert_oauth import client_of, token_body
from misaki.ports import SignedToken
from tests import factories

FORM = "application/x-www-form-urlencoded"
NAME = "projects/garden/clients/importer"


def _body(data: str, kind: str = FORM) -> httpbody_pb2.HttpBody:
    return httpbody_pb2.HttpBody(content_type=kind, data=data.encode())


def _form(**fields: str) -> httpbody_pb2.HttpBody:
    return _body(urlencode({"grant_type": "client_credentials"} | fields))


def _basic(name: str, secret: str) -> str:
    text = f"{quote_plus(name)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_client_comes_in_the_form() -> None:
    """`client_id` and `client_secret` are read, whatever else is said."""
    client = client_of(_form(client_id=NAME, client_secret="s:1", scope="any"), "")

    assert (NAME, "s:1") == (client.name, client.secret)


def test_client_comes_in_the_header() -> None:
    """HTTP basic with the parts encoded, as section 2.3.1 wants it."""
    client = client_of(_form(), _basic(NAME, "s:1 +"))

    assert (NAME, "s:1 +") == (client.name, client.secret)


def test_secret_is_not_in_a_repr() -> None:
    """What could get into a log says nothing of the secret."""
    assert "s:1" not in repr(client_of(_form(client_id=NAME, client_secret="s:1"), ""))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (_body("grant_type=password&username=a&password=b"), "grant_type"),
        (_body(""), "grant_type"),
        (_body("{}", "application/json"), "data"),
        (_body("grant_type=client_credentials&x=" + "y" * 9000), "data"),
        (_body("grant_type=client_credentials&grant_type=client_credentials"), "grant_type"),
        (_form(client_id=NAME), "client_secret"),
        (_form(client_secret="s"), "client_id"),
    ],
)
def test_other_requests_name_what_is_wrong(body: httpbody_pb2.HttpBody, field: str) -> None:
    """Another grant, no form, too much of it, and missing fields are refused."""
    with pytest.raises(InvalidArgument) as caught:
        client_of(body, "")

    assert field == caught.value.metadata["field"]


@pytest.mark.parametrize("header", ["Basic %%%", "Basic /////w=="])
def test_unreadable_header_proves_nothing(header: str) -> None:
    """A broken header is refused like a wrong secret."""
    with pytest.raises(Unauthenticated):
        client_of(_form(), header)


@given(data=st.binary(max_size=200), header=st.text(max_size=50))
def test_nothing_breaks_it(data: bytes, header: str) -> None:
    """Whatever comes is read, or refused with a reason."""
    body = httpbody_pb2.HttpBody(content_type=FORM, data=data)
    refused: list[str] = []
    try:
        client_of(body, header)
    except DomainError as error:
        refused.append(error.reason)

    assert set(refused) <= {"FIELD_INVALID", "CREDENTIALS_INVALID"}


def test_answer_is_that_of_the_standard() -> None:
    """Section 5.1: the token, its type, and how many seconds it lasts."""
    token = SignedToken("a.b.c", factories.NOON + timedelta(minutes=15))

    body = token_body(token, now=factories.NOON)

    assert "application/json" == body.content_type
    expected = {"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 900}
    assert expected == json.loads(body.data)
