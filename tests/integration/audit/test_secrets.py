"""No secret gets into any log, table or file; errors are found by their incident."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_status import rpc_status
from hanami.misaki.v1 import token_service_pb2 as token_pb
from hanami.misaki.v1 import (
    token_service_pb2_grpc,
    user_service_pb2,
    user_service_pb2_grpc,
)
from hanami.shiori.v1 import audit_service_pb2 as audit_pb
from hanami.shiori.v1 import error_service_pb2 as error_pb
from hanami.shiori.v1 import error_service_pb2_grpc

from mesh import status
from tests.e2e.conftest import free_port
from tests.integration.audit.houses import entries_until, files_below, process, stop
from tests.integration.meshes import (
    ADMIN_ID,
    ADMIN_PASSWORD,
    SERVICE_SECRET,
    Metadata,
    bearer,
)

RIGHT = "Recognisable-right-4711!"
WRONG = "Recognisable-wrong-4712!"
NEVER_STORED = "Recognisable-lost-4713!"


async def _failed(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def _incident_in(error: grpc.aio.AioRpcError) -> str:
    rich = rpc_status.from_call(error)
    assert rich is not None
    return str(status.error_info(rich).metadata["incident"])


def _break(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("ALTER TABLE users RENAME TO users_no_more")
        connection.commit()


async def test_secrets_are_nowhere_and_incidents_are_found(tmp_path: Path) -> None:
    """After logins good and bad, and errors that had passwords at hand, no file holds one."""
    ports = {"misaki": free_port(), "shiori": free_port()}
    addresses = {
        f"HANAMI_{name.upper()}_ADDRESS": f"127.0.0.1:{port}" for name, port in ports.items()
    }
    more = addresses | {"HANAMI_LOG_LEVEL": "DEBUG"}
    folders = [tmp_path / "misaki", tmp_path / "shiori"]
    async with (
        process("misaki", folders[0], ports["misaki"], more) as misaki,
        process("shiori", folders[1], ports["shiori"], more) as shiori,
        grpc.aio.insecure_channel(addresses["HANAMI_MISAKI_ADDRESS"]) as channel,
        grpc.aio.insecure_channel(addresses["HANAMI_SHIORI_ADDRESS"]) as logs,
    ):
        tokens = token_service_pb2_grpc.TokenServiceStub(channel)
        users = user_service_pb2_grpc.UserServiceStub(channel)
        root = await tokens.Login(token_pb.LoginRequest(user_id=ADMIN_ID, password=ADMIN_PASSWORD))
        admin = bearer(root.access_token)
        alice_wanted = user_service_pb2.CreateUserRequest(user_id="alice", password=RIGHT)
        await users.CreateUser(alice_wanted, metadata=admin)
        pair = await tokens.Login(token_pb.LoginRequest(user_id="alice", password=RIGHT))
        await _failed(tokens.Login(token_pb.LoginRequest(user_id="alice", password=WRONG)))
        # A password typed in the place of the user.
        await _failed(tokens.Login(token_pb.LoginRequest(user_id=WRONG, password="x")))
        renewed = await tokens.RefreshToken(
            token_pb.RefreshTokenRequest(refresh_token=pair.refresh_token)
        )
        alice = bearer(renewed.access_token)
        _break(folders[0] / "misaki.db")
        lost = user_service_pb2.CreateUserRequest(user_id="bob", password=NEVER_STORED)
        by_admin = _incident_in(await _failed(users.CreateUser(lost, metadata=admin)))
        mine = user_service_pb2.GetUserRequest(name="users/alice")
        by_alice = _incident_in(await _failed(users.GetUser(mine, metadata=alice)))
        entries = await entries_until(
            logs, admin, lambda found: any(e.incident == by_admin for e in found)
        )
        full, own = await _records(logs, by_alice, admin, alice)
        await _records(logs, by_admin, admin)
        await _failed(_record(logs, by_admin, alice))
        await stop(misaki)
        await stop(shiori)

    _check_entries(entries)
    assert ("misaki", "users/alice", "users/alice") == (own.service, own.principal, own.resource)
    assert ("", "") == (own.error, own.stack_trace)
    assert "no such table" in full.error
    assert "Traceback" in full.stack_trace
    secrets = [RIGHT, WRONG, NEVER_STORED, ADMIN_PASSWORD, SERVICE_SECRET]
    secrets += [t for p in (root, pair, renewed) for t in (p.access_token, p.refresh_token)]
    written = files_below(tmp_path)
    assert len(written) > 4
    found = [(s, p) for s in secrets for p, content in written.items() if s.encode() in content]
    assert [(SERVICE_SECRET, tmp_path / "service-secret")] == found


def _check_entries(entries: list[audit_pb.AuditEntry]) -> None:
    logins = [e for e in entries if e.method.endswith("/Login")]
    told = sorted((e.principal, e.claimed_principal, e.reason) for e in logins)
    assert [
        ("", "", "CREDENTIALS_INVALID"),
        ("", "users/alice", "CREDENTIALS_INVALID"),
        ("users/alice", "users/alice", ""),
        ("users/root", "users/root", ""),
    ] == told
    assert {"127.0.0.1"} == {e.address for e in logins}


async def _records(
    channel: grpc.aio.Channel, incident: str, *readers: Metadata
) -> list[error_pb.ErrorRecord]:
    """Return a record as each reader sees it, as soon as it has come."""
    while True:
        try:
            return [await _record(channel, incident, reader) for reader in readers]
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            await asyncio.sleep(0.1)


async def _record(
    channel: grpc.aio.Channel, incident: str, reader: Metadata
) -> error_pb.ErrorRecord:
    stub = error_service_pb2_grpc.ErrorServiceStub(channel)
    request = error_pb.GetErrorRecordRequest(name=f"errorRecords/{incident}")
    return await stub.GetErrorRecord(request, metadata=reader)
