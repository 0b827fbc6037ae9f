"""What the answers that are kept for repeated calls may hold."""

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, MethodDescriptor

from tests.unit.mesh.test_policy import services

SECRET_WORDS = ("token", "password", "secret", "key")
REMEMBERED = [
    method
    for service in services()
    for method in service.methods
    if "request_id" in method.input_type.fields_by_name
]


def field_names(message: Descriptor, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the names of all fields of a message and of those inside it."""
    for field in message.fields:
        yield field.name
        inner = field.message_type
        if inner is not None and inner.full_name not in seen:
            yield from field_names(inner, seen | {inner.full_name})


@pytest.mark.parametrize("method", REMEMBERED, ids=lambda method: method.full_name)
def test_remembered_answers_hold_no_secret(method: MethodDescriptor) -> None:
    """No answer that goes into a database for 24 hours has a field for tokens or passwords."""
    names = set(field_names(method.output_type))

    assert not {name for name in names if any(word in name for word in SECRET_WORDS)}


def test_calls_that_give_out_tokens_are_not_remembered() -> None:
    """Nothing of the service of tokens has a `request_id`."""
    assert REMEMBERED
    assert "TokenService" not in {method.containing_service.name for method in REMEMBERED}
