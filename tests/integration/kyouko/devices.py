"""Tokens of devices, signed with the key of a running misaki."""

import time
from collections.abc import Sequence

import jwt

from mesh.tokens import ALGORITHM
from misaki.crypto.keys import load_or_create
from tests.integration.meshes import Metadata, RunningMisaki, bearer


def device(
    misaki: RunningMisaki,
    actions: Sequence[str],
    *,
    project: str = "flowers",
    network: str = "net",
    key: str = "k1",
) -> Metadata:
    """Return the metadata of a device whose key covers a network and some actions."""
    signing = load_or_create(misaki.settings.data_directory)
    now = time.time()
    claims = {
        "iss": "hanami",
        "aud": "hanami",
        "sub": f"projects/{project}/apiKeys/{key}",
        "jti": f"token-of-{key}",
        "iat": now,
        "exp": int(now) + 600,
        "typ": "access",
        "api_key": key,
        "device": {"project": project, "network": network, "actions": list(actions)},
    }
    headers = {"kid": signing.public.key_id}
    return bearer(jwt.encode(claims, signing.private, algorithm=ALGORITHM, headers=headers))
