"""Keeps secrets out of what is written about a call."""

import re
from collections.abc import Iterator

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

HIDDEN = "[hidden]"
# Fields of these names hold secrets, whether or not their contract says so.
_SECRET_NAMES = re.compile(
    r"password|secret|token|credential|assertion|verifier|api_key|private_key|authorization"
)
# JSON Web Tokens, wherever they come from.
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
# Shorter ones would blacken ordinary words, and hide nothing that could not be guessed.
_LEAST_CHARACTERS = 4


def hidden(text: str, secrets: frozenset[str] = frozenset()) -> str:
    """Return a text without tokens and without these secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
        # As `repr` writes it inside of an error's text.
        text = text.replace(repr(secret)[1:-1], HIDDEN)
    return _TOKEN.sub(HIDDEN, text)


def secrets_in(message: Message) -> frozenset[str]:
    """Return the secrets that a message holds, in fields of any depth.

    A field is secret when its contract says `debug_redact`, or by its name.
    """
    return frozenset(secret for secret in _secrets(message) if len(secret) >= _LEAST_CHARACTERS)


def is_secret(field: FieldDescriptor) -> bool:
    """Return whether a field's value is not to be written anywhere."""
    return bool(field.GetOptions().debug_redact or _SECRET_NAMES.search(field.name))


def _secrets(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        items = value if field.is_repeated else [value]
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for item in items:
                if isinstance(item, Message):
                    yield from _secrets(item)
        elif field.type == FieldDescriptor.TYPE_STRING and is_secret(field):
            yield from items
        elif field.type == FieldDescriptor.TYPE_BYTES and is_secret(field):
            yield from (item.decode(errors="replace") for item in items)
