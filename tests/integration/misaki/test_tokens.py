"""Logging in to a real misaki."""

from tests.integration.meshes import ADMIN_ID, RunningMisaki


async def test_login_returns_a_pair_of_tokens(misaki: RunningMisaki) -> None:
    """The right password gets an access token and a refresh token."""
    pair = await misaki.log_in()

    assert f"users/{ADMIN_ID}" == pair.user
    assert pair.access_token
    assert pair.refresh_token
    assert pair.access_expire_time.seconds < pair.refresh_expire_time.seconds
