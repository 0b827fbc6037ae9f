"""Nothing of the audit log gets lost on the way, whoever is killed."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
from hanami.misaki.v1 import token_service_pb2 as token_pb
from hanami.misaki.v1 import token_service_pb2_grpc
from hanami.shiori.v1 import audit_service_pb2 as pb

from tests.e2e.conftest import free_port
from tests.integration.audit.houses import entries_until, kill, process
from tests.integration.meshes import ADMIN_ID, ADMIN_PASSWORD, start_misaki

REFRESH = "hanami.misaki.v1.TokenService/RefreshToken"


async def _refused(stub: "token_service_pb2_grpc.TokenServiceAsyncStub") -> None:
    """Make a call that changes nothing, costs little, and is written."""
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.RefreshToken(token_pb.RefreshTokenRequest(refresh_token="not a token"))


async def test_kills_of_shiori_lose_and_double_nothing(tmp_path: Path) -> None:
    """However often shiori is killed meanwhile, each call is in its log exactly once."""
    port = free_port()
    made = 0
    async with (
        start_misaki(tmp_path / "misaki", shiori_address=f"127.0.0.1:{port}") as misaki,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        AsyncExitStack() as stack,
    ):
        admin = await misaki.admin()
        settings = {"HANAMI_MISAKI_ADDRESS": misaki.address}
        for _ in range(3):
            for _ in range(40):
                await _refused(misaki.tokens)
            shiori = await stack.enter_async_context(
                process("shiori", tmp_path / "shiori", port, settings)
            )
            for _ in range(40):
                await _refused(misaki.tokens)
            # In the middle of taking them, or before, or after.
            await asyncio.sleep(0.15)
            await kill(shiori)
            made += 80
        await stack.enter_async_context(process("shiori", tmp_path / "shiori", port, settings))
        entries = await entries_until(
            channel, admin, lambda found: len(found) >= made, method="RefreshToken"
        )

    assert made == len(entries)
    assert {1} == set(Counter(entry.entry_id for entry in entries).values())
    assert {("misaki", REFRESH, "TOKEN_INVALID")} == {
        (entry.service, entry.method, entry.reason) for entry in entries
    }


async def test_answered_call_is_written_though_its_service_is_killed(tmp_path: Path) -> None:
    """Who got an answer is in the log, also when the service dies right after."""
    ports = {"misaki": free_port(), "shiori": free_port()}
    addresses = {
        f"HANAMI_{name.upper()}_ADDRESS": f"127.0.0.1:{port}" for name, port in ports.items()
    }
    login = token_pb.LoginRequest(user_id=ADMIN_ID, password=ADMIN_PASSWORD)
    folder = tmp_path / "misaki"
    async with (
        process("misaki", folder, ports["misaki"], addresses) as misaki,
        grpc.aio.insecure_channel(addresses["HANAMI_MISAKI_ADDRESS"]) as channel,
    ):
        stub = token_service_pb2_grpc.TokenServiceStub(channel)
        pair = await stub.Login(login)
        await kill(misaki)
    admin = (("authorization", f"Bearer {pair.access_token}"),)

    async with (
        process("misaki", folder, ports["misaki"], addresses),
        process("shiori", tmp_path / "shiori", ports["shiori"], addresses),
        grpc.aio.insecure_channel(addresses["HANAMI_SHIORI_ADDRESS"]) as channel,
    ):
        entries = await entries_until(channel, admin, bool, method="Login")

    assert ["users/root"] == [entry.principal for entry in entries]


async def test_overflow_is_bounded_and_told_in_the_log(tmp_path: Path) -> None:
    """Without shiori the spool takes so much and no more; the log tells how many are missing."""
    port, most = free_port(), 2**16
    folder = tmp_path / "misaki"
    async with (
        start_misaki(folder, shiori_address=f"127.0.0.1:{port}", audit_spool_bytes=most) as misaki,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        admin = await misaki.admin()
        for _ in range(600):
            await _refused(misaki.tokens)
        size = sum(file.stat().st_size for file in (folder / "data" / "audit").iterdir())
        settings = {"HANAMI_MISAKI_ADDRESS": misaki.address}
        async with process("shiori", tmp_path / "shiori", port, settings):
            entries = await entries_until(
                channel, admin, lambda found: any(e.kind == pb.AUDIT_KIND_GAP for e in found)
            )

    (gap,) = (entry for entry in entries if entry.kind == pb.AUDIT_KIND_GAP)
    kept = [entry for entry in entries if entry.method == REFRESH]
    assert (0 < size <= most, "misaki") == (True, gap.service)
    # Shiori's own logins may be among the lost, too.
    assert 600 <= len(kept) + gap.lost_count <= 605
