"""What the contracts of identity offer to callers, the client offers too."""

from pathlib import Path

import pytest

import hanami_sdk
from hanami_sdk.local.contracts import Contracts

PACKAGE = "hanami.misaki.v1"
# What is called by others than the client: OAuth libraries, and whoever verifies tokens.
BY_OTHERS = {"IssueToken", "GetJsonWebKeySet"}


def methods() -> list[str]:
    """Return the methods of misaki that the gateway lets callers reach."""
    return [
        method.name
        for method in Contracts.load().methods
        if method.package == PACKAGE and not method.is_internal
    ]


@pytest.mark.parametrize("method", sorted({*methods()} - BY_OTHERS))
def test_every_method_of_identity_is_in_the_client(method: str) -> None:
    """A new method without one of the client's fails here."""
    sources = Path(hanami_sdk.__file__).parent.rglob("*.py")

    callers = [path.name for path in sources if f".{method}" in path.read_text(encoding="utf-8")]

    assert callers != []
