"""Logins on a real misaki: renewed, narrowed, shown, ended, and guessed at."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from hanami.misaki.v1 import session_service_pb2, token_service_pb2, user_service_pb2

from tests.integration.meshes import ADMIN_ID, ADMIN_PASSWORD, RunningMisaki, bearer, start_misaki
from tests.integration.statuses import refusal

ME = user_service_pb2.GetUserRequest(name="users/me")
MINE = session_service_pb2.ListSessionsRequest(parent="users/me")


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


async def test_refresh_token_shared_by_processes_goes_on(misaki: RunningMisaki) -> None:
    """Many who renew the same token at once all get tokens that work, of one login."""
    pair = await misaki.log_in()

    pairs = await asyncio.gather(*(misaki.refresh(pair.refresh_token) for _ in range(8)))
    later = await misaki.refresh(pairs[3].refresh_token)

    assert {pair.session} == {p.session for p in [*pairs, later]}
    for p in [*pairs, later]:
        user = await misaki.users.GetUser(ME, metadata=bearer(p.access_token))
        assert f"users/{ADMIN_ID}" == user.name


async def test_reused_refresh_token_ends_the_login(tmp_path: Path) -> None:
    """Once the grace is over, a token that was replaced ends the login of the thief too."""
    async with start_misaki(tmp_path, refresh_grace_seconds=0) as misaki:
        pair = await misaki.log_in()
        stolen = await misaki.refresh(pair.refresh_token)

        reused = await refusal(misaki.refresh(pair.refresh_token))
        thief = await refusal(misaki.refresh(stolen.refresh_token))

    assert (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED") == (reused.code, reused.reason)
    assert {"problem": "session ended"} == thief.metadata


async def test_login_for_one_project(misaki: RunningMisaki) -> None:
    """The token speaks of that project; a refresh switches, keeps and widens."""
    for project_id in ("garden", "kitchen"):
        await misaki.create_project(project_id)
    await misaki.create_user("alice", garden="VIEWER", kitchen="MEMBER")
    request = token_service_pb2.LoginRequest(
        user_id="alice", password="password-of-alice", project="projects/garden"
    )

    narrow = await misaki.tokens.Login(request)
    switched = await misaki.refresh(narrow.refresh_token, "projects/kitchen")
    kept = await misaki.refresh(switched.refresh_token)
    wide = await misaki.refresh(kept.refresh_token, "projects/-")

    pairs = [narrow, switched, kept, wide]
    garden, kitchen = {"garden": "VIEWER"}, {"kitchen": "MEMBER"}
    assert [garden, kitchen, kitchen, garden | kitchen] == [
        _claims(pair.access_token)["roles"] for pair in pairs
    ]
    projects = ["projects/garden", "projects/kitchen", "projects/kitchen", ""]
    assert projects == [pair.project for pair in pairs]


async def test_foreign_project_is_not_found(misaki: RunningMisaki) -> None:
    """A project of others and one that does not exist answer alike, after the password."""
    await misaki.create_project("garden")
    await misaki.create_user("alice")

    answers = [
        await refusal(
            misaki.tokens.Login(
                token_service_pb2.LoginRequest(user_id="alice", password=password, project=project)
            )
        )
        for password in ("password-of-alice", "wrong password")
        for project in ("projects/garden", "projects/nowhere")
    ]

    reasons = ["RESOURCE_NOT_FOUND"] * 2 + ["CREDENTIALS_INVALID"] * 2
    assert reasons == [answer.reason for answer in answers]


async def test_logins_are_shown_with_their_origin(misaki: RunningMisaki) -> None:
    """Each login of the user is listed, the one of the call marked; nobody else's."""
    await misaki.create_user("alice")
    request = token_service_pb2.LoginRequest(user_id="alice", password="password-of-alice")
    pair = await misaki.tokens.Login(request, metadata=(("x-forwarded-for", "203.0.113.7"),))

    listed = await misaki.sessions.ListSessions(MINE, metadata=bearer(pair.access_token))
    admins = await misaki.sessions.ListSessions(
        session_service_pb2.ListSessionsRequest(parent="users/alice"),
        metadata=await misaki.admin(),
    )

    (own,) = [session for session in listed.sessions if session.current]
    assert 2 == len(listed.sessions) == len(admins.sessions)
    assert not any(session.current for session in admins.sessions)
    assert (pair.session, "203.0.113.7") == (own.name, own.origin)
    assert "grpc" in own.client
    assert pair.refresh_expire_time.seconds == own.expire_time.seconds


async def test_pages_of_logins_hold_each_once(misaki: RunningMisaki) -> None:
    """Pages follow each other, and a token belongs to one user's list."""
    pairs = [await misaki.log_in() for _ in range(3)]
    metadata = bearer(pairs[0].access_token)

    first = await misaki.sessions.ListSessions(
        session_service_pb2.ListSessionsRequest(parent="users/me", page_size=2), metadata=metadata
    )
    rest = await misaki.sessions.ListSessions(
        session_service_pb2.ListSessionsRequest(
            parent="users/me", page_size=2, page_token=first.next_page_token
        ),
        metadata=metadata,
    )
    other = await refusal(
        misaki.sessions.ListSessions(
            session_service_pb2.ListSessionsRequest(
                parent=f"users/{ADMIN_ID}", page_token=first.next_page_token
            ),
            metadata=metadata,
        )
    )

    names = [session.name for session in [*first.sessions, *rest.sessions]]
    assert sorted(pair.session for pair in pairs) == names
    assert "PAGE_TOKEN_INVALID" == other.reason


async def test_ended_login_renews_nothing(misaki: RunningMisaki) -> None:
    """A login is ended by its user; those of others are not even there."""
    await misaki.create_user("alice")
    bob = await misaki.create_user("bob")
    pair = await misaki.log_in("alice", "password-of-alice")
    own = (await misaki.log_in("alice", "password-of-alice")).access_token
    request = session_service_pb2.DeleteSessionRequest(name=pair.session)

    stranger = await refusal(misaki.sessions.DeleteSession(request, metadata=bob))
    await misaki.sessions.DeleteSession(request, metadata=bearer(own))
    refresh = await refusal(misaki.refresh(pair.refresh_token))

    assert grpc.StatusCode.NOT_FOUND == stranger.code
    assert {"problem": "session ended"} == refresh.metadata


async def test_logout_ends_the_login_of_the_call(misaki: RunningMisaki) -> None:
    """The refresh token is worth nothing afterwards; another login goes on."""
    pair, other = await misaki.log_in(), await misaki.log_in()

    await misaki.tokens.Logout(
        token_service_pb2.LogoutRequest(), metadata=bearer(pair.access_token)
    )

    assert "TOKEN_INVALID" == (await refusal(misaki.refresh(pair.refresh_token))).reason
    call = misaki.users.GetUser(ME, metadata=bearer(pair.access_token))
    assert "TOKEN_REVOKED" == (await refusal(call)).reason
    assert other.session == (await misaki.refresh(other.refresh_token)).session


async def test_services_have_no_login_to_end(misaki: RunningMisaki) -> None:
    """A token that belongs to no login cannot be logged out."""
    answer = await refusal(
        misaki.tokens.Logout(token_service_pb2.LogoutRequest(), metadata=await misaki.service())
    )

    assert (grpc.StatusCode.FAILED_PRECONDITION, "STATE_CONFLICT") == (answer.code, answer.reason)


async def test_revoked_token_ends_its_login(misaki: RunningMisaki) -> None:
    """Who holds a refresh token may take it back; nonsense is no error."""
    pair = await misaki.log_in()

    for token in (pair.refresh_token, pair.refresh_token, "nonsense"):
        await misaki.tokens.RevokeToken(token_service_pb2.RevokeTokenRequest(token=token))

    assert "TOKEN_INVALID" == (await refusal(misaki.refresh(pair.refresh_token))).reason


@pytest.mark.parametrize("user_id", [ADMIN_ID, "nobody"])
async def test_guessing_is_throttled_alike_for_all_names(
    misaki: RunningMisaki, user_id: str
) -> None:
    """After five wrong passwords the answer is to wait, whether the user exists or not."""
    origin = (("x-forwarded-for", "198.51.100.9"),)
    answers = []
    for number in range(8):
        request = token_service_pb2.LoginRequest(user_id=user_id, password=f"guess {number}")
        answers.append(await refusal(misaki.tokens.Login(request, metadata=origin)))

    assert ["CREDENTIALS_INVALID"] * 6 + ["LOGIN_THROTTLED"] * 2 == [a.reason for a in answers]
    assert grpc.StatusCode.RESOURCE_EXHAUSTED == answers[-1].code
    assert answers[-1].metadata["retry_seconds"] in ("1", "2")


async def test_guesser_does_not_lock_the_user_out(misaki: RunningMisaki) -> None:
    """Where the user has logged in before, the right password still works."""
    request = token_service_pb2.LoginRequest(user_id=ADMIN_ID, password=ADMIN_PASSWORD)
    home, elsewhere = ((("x-forwarded-for", ip),) for ip in ("203.0.113.7", "198.51.100.9"))
    await misaki.tokens.Login(request, metadata=home)
    for number in range(7):
        wrong = token_service_pb2.LoginRequest(user_id=ADMIN_ID, password=f"guess {number}")
        await refusal(misaki.tokens.Login(wrong, metadata=elsewhere))

    pair = await misaki.tokens.Login(request, metadata=home)
    guesser = await refusal(misaki.tokens.Login(request, metadata=elsewhere))

    assert f"users/{ADMIN_ID}" == pair.user
    assert "LOGIN_THROTTLED" == guesser.reason
