"""Changes of access reach a service at once, and end what they forbid."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from hanami.kyouko.v1 import task_service_pb2

from mesh.access import Role
from mesh.access_state import AccessChange, AccessState, PolicyChanges
from mesh.revocations import Revocation
from tests.integration.mesh.garden import Garden, planted
from tests.integration.statuses import refusal

WATCH_TASK = "/hanami.kyouko.v1.TaskService/WatchTask"


def revoked(subject: str) -> AccessChange:
    """Return what ends all tokens about a subject."""
    later = datetime.now(UTC) + timedelta(hours=1)
    return AccessChange(revocations=[Revocation(subject, later, later)])


def only(method: str, *roles: Role) -> AccessChange:
    """Return a policy that leaves a method to some roles."""
    return AccessChange(policy=PolicyChanges(1, {method: frozenset(roles)}))


async def _endless(_: Any) -> AsyncIterator[Any]:
    yield task_service_pb2.Task(name="first")
    await asyncio.Event().wait()


@pytest.mark.parametrize("subject", ["users/alice", "tokens/test-token", "sessions/s1"])
async def test_revoked_token_is_refused(subject: str) -> None:
    """A token that was good a moment ago is TOKEN_REVOKED, whatever it was revoked by."""
    async with planted() as garden:
        metadata = garden.signer.bearer(roles={"garden": "MEMBER"}, sid="s1")
        await garden.get_user(metadata=metadata)

        garden.access.apply(revoked(subject))
        answer = await refusal(garden.get_user(metadata=metadata))

    assert (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED") == (answer.code, answer.reason)
    assert {"subject": subject} == answer.metadata


async def test_fresh_token_of_the_same_user_is_good() -> None:
    """A token made after the revocation is not meant by it."""
    async with planted() as garden:
        now = time.time()
        before = datetime.fromtimestamp(now - 0.001, UTC)
        garden.access.apply(AccessChange(revocations=[Revocation("users/alice", before, before)]))

        answer = await garden.get_user(metadata=garden.signer.bearer(iat=now))

    assert "users/alice" == answer.name


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (revoked("users/alice"), "TOKEN_REVOKED"),
        (only(WATCH_TASK, Role.PROJECT_ADMIN), "ROLE_INSUFFICIENT"),
    ],
)
async def test_open_stream_ends(change: AccessChange, reason: str) -> None:
    """A stream that would go on ends with its token, and with the role's right to it."""
    async with planted(Garden(stream=_endless)) as garden:
        call = garden.watch_task()
        await call.read()

        garden.access.apply(change)
        answer = await refusal(call.read())

    assert reason == answer.reason


async def test_upload_ends_too() -> None:
    """A stream of requests is cut off as well."""
    async with planted() as garden:
        call = garden.upload()
        await asyncio.sleep(0.2)

        garden.access.apply(revoked("users/alice"))
        answer = await refusal(call)

    assert "TOKEN_REVOKED" == answer.reason


@pytest.mark.parametrize(
    "change", [revoked("users/bob"), only(WATCH_TASK, Role.MEMBER), AccessChange()]
)
async def test_stream_of_somebody_else_goes_on(change: AccessChange) -> None:
    """Changes that do not forbid a stream leave it alone."""
    may_end = asyncio.Event()

    async def ending(_: Any) -> AsyncIterator[Any]:
        yield task_service_pb2.Task(name="first")
        await may_end.wait()

    async with planted(Garden(stream=ending)) as garden:
        call = garden.watch_task()
        await call.read()

        garden.access.apply(change)
        may_end.set()
        after = await call.read()

    assert grpc.aio.EOF is after


async def test_policy_counts_for_the_next_call() -> None:
    """A method is refused, and allowed again, from one call to the next."""
    access = AccessState()
    async with planted(Garden(), access=access) as garden:
        outcomes: list[str] = []
        for roles in ({Role.ADMIN}, {Role.MEMBER}, set()):
            method = "/hanami.misaki.v1.UserService/GetUser"
            access.apply(only(method, *roles))
            try:
                await garden.get_user()
                outcomes.append("allowed")
            except grpc.aio.AioRpcError as error:
                outcomes.append(error.code().name)

    assert ["PERMISSION_DENIED", "allowed", "PERMISSION_DENIED"] == outcomes
