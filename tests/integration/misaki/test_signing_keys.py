"""Signing keys that are replaced under a running misaki."""

from pathlib import Path

import grpc
import jwt
from hanami.misaki.v1 import (
    signing_key_service_pb2,
    signing_key_service_pb2_grpc,
    token_service_pb2,
    user_service_pb2,
)

from mesh.clients import RemoteKeys
from mesh.tokens import TokenVerifier
from tests.integration.meshes import ADMIN_ID, RunningMisaki, bearer, start_misaki
from tests.integration.statuses import refusal

ME = user_service_pb2.GetUserRequest(name="users/me")
STATE = signing_key_service_pb2.SigningKey.State


def _keys(misaki: RunningMisaki) -> "signing_key_service_pb2_grpc.SigningKeyServiceAsyncStub":
    return signing_key_service_pb2_grpc.SigningKeyServiceStub(misaki.channel)


async def _published(misaki: RunningMisaki) -> list[str]:
    request = token_service_pb2.GetJsonWebKeySetRequest()
    return [key.kid for key in (await misaki.tokens.GetJsonWebKeySet(request)).keys]


def _kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


async def test_next_key_waits_and_is_published(misaki: RunningMisaki) -> None:
    """It is in the key set at once, and the key so far goes on signing."""
    pair = await misaki.log_in()
    admin = bearer(pair.access_token)

    key = await _keys(misaki).RotateSigningKey(
        signing_key_service_pb2.RotateSigningKeyRequest(), metadata=admin
    )
    again = await _keys(misaki).RotateSigningKey(
        signing_key_service_pb2.RotateSigningKeyRequest(), metadata=admin
    )

    listed = await _keys(misaki).ListSigningKeys(
        signing_key_service_pb2.ListSigningKeysRequest(), metadata=admin
    )
    old = _kid(pair.access_token)
    assert key == again
    assert [STATE.STATE_NEXT, STATE.STATE_CURRENT] == [k.state for k in listed.signing_keys]
    assert [key.name.removeprefix("signingKeys/"), old] == await _published(misaki)
    assert old == _kid((await misaki.log_in()).access_token)


async def test_rotation_refuses_nobody(tmp_path: Path) -> None:
    """Tokens of the key before are good to their end, here and in other services."""
    async with start_misaki(tmp_path, signing_key_ahead_seconds=0) as misaki:
        verifier = TokenVerifier(
            RemoteKeys(misaki.channel), issuer="hanami", audience="hanami", clock=lambda: 0.0
        )
        before = await misaki.log_in()
        await verifier.verify(before.access_token)

        await _keys(misaki).RotateSigningKey(
            signing_key_service_pb2.RotateSigningKeyRequest(),
            metadata=bearer(before.access_token),
        )
        after = await misaki.refresh(before.refresh_token)
        users = [
            await misaki.users.GetUser(ME, metadata=bearer(pair.access_token))
            for pair in (before, after)
        ]
        await verifier.keys_are(await _published(misaki))
        principals = [await verifier.verify(p.access_token) for p in (before, after)]

    assert _kid(before.access_token) != _kid(after.access_token)
    assert [f"users/{ADMIN_ID}"] * 2 == [user.name for user in users]
    assert [f"users/{ADMIN_ID}"] * 2 == [principal.name for principal in principals]


async def test_immediate_rotation_voids_every_token(misaki: RunningMisaki) -> None:
    """With the keys in wrong hands no earlier token counts, and the new ones do at once."""
    before = await misaki.log_in()

    await _keys(misaki).RotateSigningKey(
        signing_key_service_pb2.RotateSigningKeyRequest(immediately=True),
        metadata=bearer(before.access_token),
    )

    call = await refusal(misaki.users.GetUser(ME, metadata=bearer(before.access_token)))
    refresh = await refusal(misaki.refresh(before.refresh_token))
    after = await misaki.users.GetUser(ME, metadata=await misaki.admin())
    assert {"problem": "signed by an unknown key"} == call.metadata == refresh.metadata
    assert f"users/{ADMIN_ID}" == after.name


async def test_keys_outlive_a_restart(tmp_path: Path) -> None:
    """Next and current key are kept: a restart logs nobody out."""
    async with start_misaki(tmp_path) as first:
        pair = await first.log_in()
        await _keys(first).RotateSigningKey(
            signing_key_service_pb2.RotateSigningKeyRequest(), metadata=bearer(pair.access_token)
        )
        before = await _published(first)

    async with start_misaki(tmp_path) as second:
        user = await second.users.GetUser(ME, metadata=bearer(pair.access_token))
        after = await _published(second)

    assert f"users/{ADMIN_ID}" == user.name
    assert before == after


async def test_keys_are_for_admins(misaki: RunningMisaki) -> None:
    """Nobody else sees or replaces them."""
    alice = await misaki.create_user("alice")

    answers = [
        await refusal(
            _keys(misaki).ListSigningKeys(
                signing_key_service_pb2.ListSigningKeysRequest(), metadata=alice
            )
        ),
        await refusal(
            _keys(misaki).RotateSigningKey(
                signing_key_service_pb2.RotateSigningKeyRequest(), metadata=alice
            )
        ),
    ]

    assert {grpc.StatusCode.PERMISSION_DENIED} == {answer.code for answer in answers}
