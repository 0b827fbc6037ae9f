"""Calls from one service to another."""

from pathlib import Path
from typing import Any

import pytest

from mesh import errors
from mesh.clients import ServiceTokens, call_metadata, channel_to, translated_errors
from tests.integration.mesh.garden import USER, Garden, planted
from tests.integration.meshes import RunningMisaki
from tests.signing import Signer

A_QUARTER_HOUR = 15 * 60


class Clock:
    """Seconds since 1970 that pass when told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now


async def _translated(error: Exception) -> errors.DomainError:
    async def fail(_: Any) -> Any:
        raise error

    async with planted(Garden(unary=fail)) as garden:
        with pytest.raises(errors.DomainError) as caught:
            async with translated_errors("garden"):
                await garden.get_user()
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        errors.NotFound("projects/p/datasets/d"),
        errors.InvalidArgument.for_field("rows", "are too many", metadata={"limit": "7"}),
        errors.FailedPrecondition("it sleeps", reason="STATE_CONFLICT", metadata={"state": "X"}),
        errors.ResourceExhausted("too much", reason="LIMIT_REACHED", metadata={"limit": "1"}),
        errors.AlreadyExists("projects/p/datasets/d"),
        errors.AlreadyExists("x", message="used", reason="REQUEST_ID_REUSED", metadata={}),
        errors.stale_etag("projects/p/datasets/d", "e1"),
        errors.PermissionDenied("no", reason="ROLE_INSUFFICIENT"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_error_means_the_same_here(error: errors.DomainError) -> None:
    """What another service refuses is refused for the same reason, in the same words."""
    here = await _translated(error)

    assert (type(error), error.reason, error.message, error.metadata) == (
        type(here),
        here.reason,
        here.message,
        here.metadata,
    )


@pytest.mark.parametrize(
    "error", [RuntimeError("a secret"), errors.Unavailable("draining", reason="SHUTTING_DOWN")]
)
async def test_failure_of_another_service_is_unavailable(error: Exception) -> None:
    """Mistakes and ends of another service are a missing dependency here."""
    here = await _translated(error)

    assert isinstance(here, errors.Unavailable)
    assert {"dependency": "garden"} == here.metadata
    assert "a secret" not in here.message


async def test_service_that_does_not_listen_is_unavailable(free_port: int) -> None:
    """Nobody at the address is a missing dependency."""
    signer = Signer()

    async with channel_to(f"127.0.0.1:{free_port}") as channel:
        call: Any = channel.unary_unary("/hanami.misaki.v1.UserService/GetUser")
        with pytest.raises(errors.Unavailable) as caught:
            async with translated_errors("misaki"):
                await call(b"", metadata=call_metadata(signer.token()))

    assert {"dependency": "misaki"} == caught.value.metadata


async def test_token_of_the_caller_goes_along() -> None:
    """A call on somebody's behalf is made with that somebody's token."""
    async with planted() as garden:
        metadata = call_metadata(garden.signer.token("users/alice"))
        answer = await garden.get_user(metadata=metadata)

    assert USER == answer


async def test_service_token_is_kept_and_renewed_in_time(misaki: RunningMisaki) -> None:
    """One token serves until three quarters of its life are over."""
    pair = await misaki.log_in()
    clock = Clock(pair.access_expire_time.seconds - A_QUARTER_HOUR)
    tokens = ServiceTokens(
        misaki.channel, service="kyouko", secret_file=misaki.service_secret_file, now=clock
    )

    first = await tokens.token()
    clock.now += 0.7 * A_QUARTER_HOUR
    second = await tokens.token()
    clock.now += 0.1 * A_QUARTER_HOUR
    third = await tokens.token()

    assert first == second
    assert second != third


async def test_wrong_secret_gets_no_service_token(misaki: RunningMisaki, tmp_path: Path) -> None:
    """A service with another secret than misaki's is told so."""
    secret_file = tmp_path / "another-secret"
    secret_file.write_text("guessed", encoding="utf-8")
    tokens = ServiceTokens(misaki.channel, service="kyouko", secret_file=secret_file)

    with pytest.raises(errors.Unauthenticated) as caught:
        await tokens.token()

    assert "CREDENTIALS_INVALID" == caught.value.reason
