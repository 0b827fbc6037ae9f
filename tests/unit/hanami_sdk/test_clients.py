"""The two clients offer the same."""

from typing import Any

import pytest

from hanami_sdk.async_client import AsyncClient
from hanami_sdk.client import Client


def public(thing: Any) -> set[str]:
    """Return the names that applications use."""
    return {name for name in dir(thing) if not name.startswith("_")}


async def test_both_clients_have_the_same_areas_and_methods() -> None:
    """Whatever asynchronous code can do, ordinary code can, and by the same name."""
    async with AsyncClient("http://127.0.0.1:1", user="nobody") as core:
        with Client("http://127.0.0.1:1", user="nobody") as client:
            missing = {
                f"{name}.{method}"
                for name in public(core)
                for method in public(getattr(core, name))
                if type(getattr(core, name)).__module__.startswith("hanami_sdk.areas")
                and not hasattr(getattr(client, name, None), method)
            }
            # The talk beneath a stream is for the client itself.
            without = public(core) - public(client) - {"exchange"}

    assert set() == missing
    assert set() == without


@pytest.mark.parametrize(
    "area",
    [
        "users",
        "projects",
        "sessions",
        "api_keys",
        "clients",
        "providers",
        "policies",
        "signing_keys",
    ],
)
def test_methods_are_explained(area: str) -> None:
    """The docstring of the asynchronous method is that of the blocking one."""
    with Client("http://127.0.0.1:1", user="nobody") as client:
        face = getattr(client, area)
        unexplained = [name for name in public(face) if not getattr(face, name).__doc__]

    assert [] == unexplained
