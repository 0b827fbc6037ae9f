"""Token requests and answers as RFC 6749 writes them."""

import base64
import binascii
import json
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs, unquote_plus

from google.api import httpbody_pb2

from mesh.errors import InvalidArgument
from misaki.domain.sessions import credentials_invalid
from misaki.ports import SignedToken

GRANT = "client_credentials"
_FORM = "application/x-www-form-urlencoded"
_MOST_BYTES = 8192
_BASIC = "basic "


@dataclass(frozen=True)
class ClientSecret:
    """Who a program says it is, and the proof."""

    name: str
    secret: str = field(repr=False)


def client_of(body: httpbody_pb2.HttpBody, authorization: str) -> ClientSecret:
    """Return who asks for a token.

    Args:
        body: The form.
        authorization: The header of that name; it may hold name and secret instead.

    Raises:
        InvalidArgument: FIELD_INVALID: no form, another grant, or a field missing.
        Unauthenticated: CREDENTIALS_INVALID: the header cannot be read.
    """
    form = _form_of(body)
    if form.get("grant_type") != GRANT:
        raise InvalidArgument.for_field("grant_type", f"has to be {GRANT}")
    if authorization.lower().startswith(_BASIC):
        return _basic(authorization[len(_BASIC) :])
    for name in ("client_id", "client_secret"):
        if not form.get(name):
            raise InvalidArgument.for_field(name, "is missing, and no basic authorization came")
    return ClientSecret(form["client_id"], form["client_secret"])


def token_body(token: SignedToken, *, now: datetime) -> httpbody_pb2.HttpBody:
    """Return the answer with an access token."""
    answer = {
        "access_token": token.token,
        "token_type": "Bearer",
        "expires_in": max(0, int((token.expire_time - now).total_seconds())),
    }
    return httpbody_pb2.HttpBody(content_type="application/json", data=json.dumps(answer).encode())


def _form_of(body: httpbody_pb2.HttpBody) -> dict[str, str]:
    kind = body.content_type.partition(";")[0].strip().lower()
    if kind not in ("", _FORM) or len(body.data) > _MOST_BYTES:
        raise InvalidArgument.for_field("data", f"has to be a form ({_FORM})")
    try:
        fields = parse_qs(body.data.decode("ascii"), strict_parsing=True, max_num_fields=16)
    except ValueError as error:
        raise InvalidArgument.for_field("data", f"has to be a form ({_FORM})") from error
    repeated = [name for name, values in fields.items() if len(values) > 1]
    if repeated:
        raise InvalidArgument.for_field(repeated[0], "comes more than once")
    return {name: values[0] for name, values in fields.items()}


def _basic(encoded: str) -> ClientSecret:
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise credentials_invalid("the basic authorization cannot be read") from error
    name, _, secret = text.partition(":")
    return ClientSecret(unquote_plus(name), unquote_plus(secret))
