"""misaki as a process of its own: how it starts, refuses to start, and ends."""

import asyncio
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hanami.misaki.v1 import token_service_pb2, token_service_pb2_grpc

ROOT = Path(__file__).parents[3]
PASSWORD = "correct horse battery"
ADMIN = {
    "HANAMI_ADMIN_USER_ID": "root",
    "HANAMI_ADMIN_USER_NAME": "Root",
    "HANAMI_ADMIN_PASSWORD": PASSWORD,
}
LIMIT_SECONDS = 60


@asynccontextmanager
async def _misaki(folder: Path, *arguments: str, **environment: str) -> AsyncIterator[Process]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("HANAMI_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "misaki",
        *arguments,
        cwd=ROOT,
        env=inherited
        | {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'generated'}",
            "HANAMI_LISTEN": "127.0.0.1:0",
            "HANAMI_DATA_DIRECTORY": str(folder / "data"),
        }
        | environment,
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _end_of(process: Process) -> tuple[int, str]:
    async with asyncio.timeout(LIMIT_SECONDS):
        _, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, errors.decode().rstrip().rpartition("\n")[2]


async def _port_of(process: Process) -> int:
    assert process.stderr is not None
    async with asyncio.timeout(LIMIT_SECONDS):
        async for line in process.stderr:
            found = re.search(rb'"port": (\d+), "event": "serving"', line)
            if found:
                return int(found[1])
    raise AssertionError("misaki ended before it served")


async def test_without_admin_it_does_not_start(tmp_path: Path) -> None:
    """On an empty installation all missing values are named in the last line of the log."""
    async with _misaki(tmp_path) as process:
        code, message = await _end_of(process)

    assert code != 0
    assert message.startswith("misaki: there is no admin yet: set ")
    assert all(name in message for name in ADMIN)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HANAMI_ADMIN_USER_ID", "Not An Id"),
        ("HANAMI_ADMIN_PASSWORD", "secret7"),
        ("HANAMI_LISTEN", "nowhere"),
        ("HANAMI_SERVICE_SECRET_FILE", "/nowhere/secret"),
    ],
)
async def test_with_a_bad_setting_it_does_not_start(tmp_path: Path, name: str, value: str) -> None:
    """A value that is not allowed is named in one line, without a stack trace or a secret."""
    async with _misaki(tmp_path, **(ADMIN | {name: value})) as process:
        code, message = await _end_of(process)

    assert code != 0
    assert name in message
    assert "Traceback" not in message
    assert "secret7" not in message
    assert PASSWORD not in message


async def test_on_an_occupied_port_it_does_not_start(tmp_path: Path) -> None:
    """A port that somebody else has is named."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"

        async with _misaki(tmp_path, HANAMI_LISTEN=address, **ADMIN) as process:
            code, message = await _end_of(process)

    assert code != 0
    assert message.startswith(f"cannot listen on {address}")


async def test_it_serves_and_ends_well_when_told_to(tmp_path: Path) -> None:
    """With its admin it becomes healthy, logs in, and ends with code 0 on SIGTERM."""
    async with _misaki(tmp_path, **ADMIN) as process:
        port = await _port_of(process)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            health = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service="hanami.misaki.v1.TokenService"),
                wait_for_ready=True,
            )
            pair = await token_service_pb2_grpc.TokenServiceStub(channel).Login(
                token_service_pb2.LoginRequest(user_id="root", password=PASSWORD)
            )
        process.send_signal(signal.SIGTERM)
        code, _ = await _end_of(process)

    assert health_pb2.HealthCheckResponse.SERVING == health.status
    assert "users/root" == pair.user
    assert 0 == code


async def test_its_files_are_for_its_user_only(tmp_path: Path) -> None:
    """Neither keys nor databases can be read by other users of the machine."""
    async with _misaki(tmp_path, **ADMIN) as process:
        await _port_of(process)
        modes = {
            path.name: oct(path.stat().st_mode & 0o077) for path in (tmp_path / "data").iterdir()
        }

    assert {"signing-key.pem", "misaki.db"} <= modes.keys()
    assert {"0o0"} == set(modes.values())


async def test_it_comes_back_after_a_sudden_end(tmp_path: Path) -> None:
    """After SIGKILL it starts again, without the admin's values, on what it had."""
    async with _misaki(tmp_path, **ADMIN) as first:
        await _port_of(first)
        first.send_signal(signal.SIGKILL)
        await _end_of(first)

    async with _misaki(tmp_path) as second:
        port = await _port_of(second)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            pair = await token_service_pb2_grpc.TokenServiceStub(channel).Login(
                token_service_pb2.LoginRequest(user_id="root", password=PASSWORD)
            )

    assert "users/root" == pair.user


async def test_settings_come_from_a_file_too(tmp_path: Path) -> None:
    """`--config` reads settings, and the password from a file of its own."""
    (tmp_path / "password").write_text(f"{PASSWORD}\n", encoding="utf-8")
    (tmp_path / "misaki.toml").write_text(
        'admin_user_id = "chief"\nadmin_user_name = "Chief"\n'
        f'admin_password_file = "{tmp_path / "password"}"\n',
        encoding="utf-8",
    )

    async with _misaki(tmp_path, "--config", str(tmp_path / "misaki.toml")) as process:
        port = await _port_of(process)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            pair = await token_service_pb2_grpc.TokenServiceStub(channel).Login(
                token_service_pb2.LoginRequest(user_id="chief", password=PASSWORD)
            )

    assert "users/chief" == pair.user
