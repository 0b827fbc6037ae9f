"""Users on a real misaki."""

import hashlib
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hanami.misaki.v1 import user_service_pb2 as pb

from tests.integration.meshes import ADMIN_ID, RunningMisaki, bearer
from tests.integration.statuses import refusal

REQUEST_ID = "0b0e9a52-7d0a-4b6c-9a4f-1c7ce0cfa9a1"


def _create(user_id: str = "alice", **fields: Any) -> pb.CreateUserRequest:
    values: dict[str, Any] = {"password": "long enough"} | fields
    return pb.CreateUserRequest(user_id=user_id, **values)


async def test_created_user_can_be_read_and_logs_in(misaki: RunningMisaki) -> None:
    """What CreateUser answers is what GetUser and Login know."""
    admin = await misaki.admin()

    created = await misaki.users.CreateUser(
        _create(display_name="Alice", admin=True), metadata=admin
    )

    read = await misaki.users.GetUser(pb.GetUserRequest(name="users/alice"), metadata=admin)
    pair = await misaki.log_in("alice", "long enough")
    assert created == read
    assert ("users/alice", "Alice", True) == (read.name, read.display_name, read.admin)
    assert read.etag
    assert read.create_time.seconds > 0
    assert "users/alice" == pair.user


async def test_second_user_of_an_id_is_refused(misaki: RunningMisaki) -> None:
    """An id is taken once."""
    admin = await misaki.admin()
    await misaki.users.CreateUser(_create(), metadata=admin)

    answer = await refusal(misaki.users.CreateUser(_create(), metadata=admin))

    assert (grpc.StatusCode.ALREADY_EXISTS, "RESOURCE_EXISTS") == (answer.code, answer.reason)
    assert {"resource": "users/alice"} == answer.metadata


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"user_id": "A"}, "user_id"),
        ({"user_id": "me"}, "user_id"),
        ({"password": "short"}, "password"),
        ({"display_name": "x" * 129}, "display_name"),
        ({"display_name": "a\x00b"}, "display_name"),
        ({"request_id": "no uuid"}, "request_id"),
    ],
)
async def test_bad_field_is_named(
    misaki: RunningMisaki, fields: dict[str, Any], field: str
) -> None:
    """A broken rule of a field is INVALID_ARGUMENT with the field's name."""
    request = _create(**({"user_id": "alice"} | fields))

    answer = await refusal(misaki.users.CreateUser(request, metadata=await misaki.admin()))

    assert (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID") == (answer.code, answer.reason)
    assert (field,) == answer.fields


async def test_repeated_request_id_has_one_effect(misaki: RunningMisaki) -> None:
    """The same call again gets the first answer, and makes no second user."""
    admin = await misaki.admin()
    request = _create(request_id=REQUEST_ID)

    first = await misaki.users.CreateUser(request, metadata=admin)
    second = await misaki.users.CreateUser(request, metadata=admin)

    assert first == second


async def test_repeated_delete_has_one_effect(misaki: RunningMisaki) -> None:
    """A repeated delete answers well; without the id it is NOT_FOUND."""
    await misaki.create_user("alice")
    admin = await misaki.admin()
    request = pb.DeleteUserRequest(name="users/alice", request_id=REQUEST_ID)

    await misaki.users.DeleteUser(request, metadata=admin)
    await misaki.users.DeleteUser(request, metadata=admin)
    answer = await refusal(
        misaki.users.DeleteUser(pb.DeleteUserRequest(name="users/alice"), metadata=admin)
    )

    assert (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND") == (answer.code, answer.reason)


async def test_request_id_with_another_body_is_refused(misaki: RunningMisaki) -> None:
    """An id belongs to one request."""
    admin = await misaki.admin()
    await misaki.users.CreateUser(_create("alice", request_id=REQUEST_ID), metadata=admin)

    answer = await refusal(
        misaki.users.CreateUser(_create("bob", request_id=REQUEST_ID), metadata=admin)
    )

    assert (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED") == (answer.code, answer.reason)
    assert {"request_id": REQUEST_ID} == answer.metadata


async def test_failed_call_frees_its_request_id(misaki: RunningMisaki) -> None:
    """A call that failed may be repeated with its id, and then succeed."""
    admin = await misaki.admin()
    await misaki.create_user("alice")
    request = _create("alice", request_id=REQUEST_ID)

    await refusal(misaki.users.CreateUser(request, metadata=admin))
    await misaki.users.DeleteUser(pb.DeleteUserRequest(name="users/alice"), metadata=admin)
    created = await misaki.users.CreateUser(request, metadata=admin)

    assert "users/alice" == created.name


async def test_pages_hold_every_user_once(misaki: RunningMisaki) -> None:
    """Following the page tokens gives all users in order."""
    for number in range(5):
        await misaki.create_user(f"user{number}")
    admin = await misaki.admin()
    names: list[str] = []
    sizes: list[int] = []
    token = ""

    while True:
        request = pb.ListUsersRequest(page_size=2, page_token=token)
        answer = await misaki.users.ListUsers(request, metadata=admin)
        names += [user.name for user in answer.users]
        sizes.append(len(answer.users))
        token = answer.next_page_token
        if not token:
            break

    assert [f"users/{ADMIN_ID}", *(f"users/user{n}" for n in range(5))] == names
    assert [2, 2, 2] == sizes


@pytest.mark.parametrize("token", ["nonsense", "WyJhIiwiYiJd", "é", "=", "[" * 1000])
async def test_damaged_page_token_is_refused(misaki: RunningMisaki, token: str) -> None:
    """A token that no list gave out is INVALID_ARGUMENT."""
    answer = await refusal(
        misaki.users.ListUsers(pb.ListUsersRequest(page_token=token), metadata=await misaki.admin())
    )

    assert (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID") == (
        answer.code,
        answer.reason,
    )
    assert ("page_token",) == answer.fields


async def test_negative_page_size_is_refused(misaki: RunningMisaki) -> None:
    """A page of less than nothing is INVALID_ARGUMENT."""
    answer = await refusal(
        misaki.users.ListUsers(pb.ListUsersRequest(page_size=-1), metadata=await misaki.admin())
    )

    assert ("page_size",) == answer.fields


async def test_stale_etag_is_aborted(misaki: RunningMisaki) -> None:
    """A delete by an old etag is ABORTED; by the right one it goes through."""
    await misaki.create_user("alice")
    admin = await misaki.admin()
    alice = await misaki.users.GetUser(pb.GetUserRequest(name="users/alice"), metadata=admin)

    answer = await refusal(
        misaki.users.DeleteUser(
            pb.DeleteUserRequest(name="users/alice", etag="before"), metadata=admin
        )
    )
    await misaki.users.DeleteUser(
        pb.DeleteUserRequest(name="users/alice", etag=alice.etag), metadata=admin
    )

    assert (grpc.StatusCode.ABORTED, "ETAG_MISMATCH") == (answer.code, answer.reason)
    assert {"resource": "users/alice", "etag": "before"} == answer.metadata


async def test_admin_cannot_delete_themselves(misaki: RunningMisaki) -> None:
    """The own user is FAILED_PRECONDITION."""
    answer = await refusal(
        misaki.users.DeleteUser(
            pb.DeleteUserRequest(name=f"users/{ADMIN_ID}"), metadata=await misaki.admin()
        )
    )

    assert (grpc.StatusCode.FAILED_PRECONDITION, "STATE_CONFLICT") == (
        answer.code,
        answer.reason,
    )


async def test_deleted_user_does_not_log_in(misaki: RunningMisaki) -> None:
    """After the delete neither the password nor the token in use is worth anything."""
    alice = await misaki.create_user("alice")
    await misaki.users.DeleteUser(
        pb.DeleteUserRequest(name="users/alice"), metadata=await misaki.admin()
    )

    login = await refusal(misaki.log_in("alice", "password-of-alice"))
    read = await refusal(misaki.users.GetUser(pb.GetUserRequest(name="users/me"), metadata=alice))

    assert "CREDENTIALS_INVALID" == login.reason
    assert (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED") == (read.code, read.reason)


async def test_user_reads_nobody_else(misaki: RunningMisaki) -> None:
    """Another user and an unknown one both answer NOT_FOUND, with the same words."""
    await misaki.create_user("bob")
    alice = await misaki.create_user("alice")

    other = await refusal(misaki.users.GetUser(pb.GetUserRequest(name="users/bob"), metadata=alice))
    unknown = await refusal(
        misaki.users.GetUser(pb.GetUserRequest(name="users/eve"), metadata=alice)
    )

    assert grpc.StatusCode.NOT_FOUND == other.code == unknown.code
    assert unknown.message.replace("eve", "bob") == other.message


async def test_only_admins_manage_users(misaki: RunningMisaki) -> None:
    """Creating, listing and deleting users is PERMISSION_DENIED to everybody else."""
    await misaki.create_project("garden")
    alice = await misaki.create_user("alice", garden="PROJECT_ADMIN")
    calls: list[Any] = [
        misaki.users.CreateUser(_create("eve"), metadata=alice),
        misaki.users.ListUsers(pb.ListUsersRequest(), metadata=alice),
        misaki.users.DeleteUser(pb.DeleteUserRequest(name=f"users/{ADMIN_ID}"), metadata=alice),
        misaki.users.ListUsers(pb.ListUsersRequest(), metadata=await misaki.service()),
    ]

    answers = [await refusal(call) for call in calls]

    expected = [(grpc.StatusCode.PERMISSION_DENIED, "ROLE_INSUFFICIENT", "ADMIN")] * 4
    assert expected == [(a.code, a.reason, a.metadata["roles"]) for a in answers]


async def test_database_keeps_no_quick_hash_of_a_password(misaki: RunningMisaki) -> None:
    """What is kept of a repeated call does not let anybody guess passwords quickly."""
    request = _create("alice", request_id=REQUEST_ID)
    await misaki.users.CreateUser(request, metadata=await misaki.admin())

    quick = hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()
    folder = misaki.settings.data_directory
    content = b"".join(path.read_bytes() for path in folder.glob("misaki.db*"))
    assert REQUEST_ID.encode() in content
    assert quick.encode() not in content
    assert b"long enough" not in content


def _update(user_id: str, mask: str, **fields: Any) -> pb.UpdateUserRequest:
    user = pb.User(name=f"users/{user_id}", **fields)
    return pb.UpdateUserRequest(user=user, update_mask=FieldMask(paths=mask.split(",")))


async def test_updated_user_is_read_back(misaki: RunningMisaki) -> None:
    """Only the fields of the mask change, and the etag."""
    await misaki.create_user("alice")
    admin = await misaki.admin()
    before = await misaki.users.GetUser(pb.GetUserRequest(name="users/alice"), metadata=admin)

    changed = await misaki.users.UpdateUser(
        _update("alice", "display_name", display_name="Ada", admin=True, etag=before.etag),
        metadata=admin,
    )

    read = await misaki.users.GetUser(pb.GetUserRequest(name="users/alice"), metadata=admin)
    assert changed == read
    assert ("Ada", False) == (read.display_name, read.admin)
    assert before.etag != read.etag


async def test_stale_update_is_aborted(misaki: RunningMisaki) -> None:
    """Two people who change a user do not undo each other's change."""
    await misaki.create_user("alice")

    answer = await refusal(
        misaki.users.UpdateUser(
            _update("alice", "display_name", display_name="Ada", etag="stale"),
            metadata=await misaki.admin(),
        )
    )

    assert (grpc.StatusCode.ABORTED, "ETAG_MISMATCH") == (answer.code, answer.reason)


@pytest.mark.parametrize("mask", ["", "name", "password", "display_name,etag", "*"])
async def test_only_what_can_change_may_be_in_the_mask(misaki: RunningMisaki, mask: str) -> None:
    """No mask, and fields that do not change, are refused by name."""
    await misaki.create_user("alice")

    answer = await refusal(
        misaki.users.UpdateUser(_update("alice", mask), metadata=await misaki.admin())
    )

    assert (grpc.StatusCode.INVALID_ARGUMENT, ("update_mask",)) == (answer.code, answer.fields)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.UpdateUserRequest(update_mask=FieldMask(paths=["admin"])), "user"),
        (_update("A", "admin"), "user"),
        (_update("alice", "display_name", display_name="x" * 129), "user"),
        (pb.UpdateUserRequest(user=pb.User(name="users/alice")), "update_mask"),
    ],
)
async def test_bad_update_names_the_field(
    misaki: RunningMisaki, request_: pb.UpdateUserRequest, field: str
) -> None:
    """A user without a name of the right form, too long values and no mask are refused."""
    answer = await refusal(misaki.users.UpdateUser(request_, metadata=await misaki.admin()))

    assert (grpc.StatusCode.INVALID_ARGUMENT, (field,)) == (answer.code, answer.fields)


async def test_users_rename_themselves_and_no_more(misaki: RunningMisaki) -> None:
    """The own name is free; rights, and other people, are not."""
    alice = await misaki.create_user("alice")
    await misaki.create_user("bob")

    renamed = await misaki.users.UpdateUser(
        _update("me", "display_name", display_name="Ada"), metadata=alice
    )
    promoted = await refusal(
        misaki.users.UpdateUser(_update("me", "admin", admin=True), metadata=alice)
    )
    other = await refusal(
        misaki.users.UpdateUser(_update("bob", "display_name", display_name="X"), metadata=alice)
    )

    assert ("users/alice", "Ada") == (renamed.name, renamed.display_name)
    assert (grpc.StatusCode.PERMISSION_DENIED, "ROLE_INSUFFICIENT") == (
        promoted.code,
        promoted.reason,
    )
    assert grpc.StatusCode.NOT_FOUND == other.code


async def test_disabled_user_is_locked_out_until_enabled(misaki: RunningMisaki) -> None:
    """No login, no refresh; and as before once the user is enabled."""
    await misaki.create_user("alice")
    pair = await misaki.log_in("alice", "password-of-alice")
    admin = await misaki.admin()

    await misaki.users.UpdateUser(_update("alice", "disabled", disabled=True), metadata=admin)
    login = await refusal(misaki.log_in("alice", "password-of-alice"))
    refresh = await refusal(misaki.refresh(pair.refresh_token))
    me = pb.GetUserRequest(name="users/me")
    call = await refusal(misaki.users.GetUser(me, metadata=bearer(pair.access_token)))
    await misaki.users.UpdateUser(_update("alice", "disabled", disabled=False), metadata=admin)
    again = await misaki.log_in("alice", "password-of-alice")

    reasons = (login.reason, refresh.reason, call.reason)
    assert ("CREDENTIALS_INVALID", "TOKEN_INVALID", "TOKEN_REVOKED") == reasons
    assert login == await refusal(misaki.log_in("alice", "wrong password"))
    assert "users/alice" == again.user


async def test_the_last_admin_cannot_be_demoted(misaki: RunningMisaki) -> None:
    """Somebody always can administer."""
    answer = await refusal(
        misaki.users.UpdateUser(_update(ADMIN_ID, "admin"), metadata=await misaki.admin())
    )

    assert (grpc.StatusCode.FAILED_PRECONDITION, "STATE_CONFLICT") == (answer.code, answer.reason)
    assert {"resource": f"users/{ADMIN_ID}", "state": "LAST_ADMIN"} == answer.metadata


async def test_changed_password_counts_at_once(misaki: RunningMisaki) -> None:
    """The old one logs nobody in, and the logins made with it are over."""
    alice = await misaki.create_user("alice")
    pair = await misaki.log_in("alice", "password-of-alice")
    change = pb.ChangePasswordRequest(
        name="users/me", old_password="password-of-alice", new_password="quite another one"
    )

    await misaki.users.ChangePassword(change, metadata=alice)

    old = await refusal(misaki.log_in("alice", "password-of-alice"))
    refresh = await refusal(misaki.refresh(pair.refresh_token))
    new = await misaki.log_in("alice", "quite another one")
    assert ("CREDENTIALS_INVALID", "TOKEN_INVALID") == (old.reason, refresh.reason)
    assert "users/alice" == new.user


async def test_wrong_old_password_is_refused(misaki: RunningMisaki) -> None:
    """Who holds a token only cannot take the account over."""
    alice = await misaki.create_user("alice")
    change = pb.ChangePasswordRequest(
        name="users/alice", old_password="guess", new_password="quite another one"
    )

    answer = await refusal(misaki.users.ChangePassword(change, metadata=alice))

    assert (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID") == (answer.code, answer.reason)


async def test_reset_password_logs_in(misaki: RunningMisaki) -> None:
    """What an admin sets is what counts; users cannot set it."""
    alice = await misaki.create_user("alice")
    reset = pb.ResetPasswordRequest(name="users/alice", new_password="quite another one")

    refused = await refusal(misaki.users.ResetPassword(reset, metadata=alice))
    await misaki.users.ResetPassword(reset, metadata=await misaki.admin())

    assert grpc.StatusCode.PERMISSION_DENIED == refused.code
    assert "users/alice" == (await misaki.log_in("alice", "quite another one")).user


@pytest.mark.parametrize("password", ["qwertyuiop", "12345678", "alicealice"])
async def test_weak_passwords_are_refused_everywhere(misaki: RunningMisaki, password: str) -> None:
    """New users, changes and resets have the same rule; the password is not repeated."""
    alice = await misaki.create_user("alice")
    admin = await misaki.admin()
    change = pb.ChangePasswordRequest(
        name="users/me", old_password="password-of-alice", new_password=password
    )
    reset = pb.ResetPasswordRequest(name="users/alice", new_password=password)

    answers = [
        await refusal(misaki.users.CreateUser(_create("ali", password=password), metadata=admin)),
        await refusal(misaki.users.ChangePassword(change, metadata=alice)),
        await refusal(misaki.users.ResetPassword(reset, metadata=admin)),
    ]

    assert [("password",), ("new_password",), ("new_password",)] == [a.fields for a in answers]
    assert not any(password in answer.message for answer in answers)
