"""Messages to and from what the domain speaks of."""

from typing import Any

from hanami.misaki.v1 import (
    project_service_pb2,
    provider_login_service_pb2,
    session_service_pb2,
    signing_key_service_pb2,
    token_service_pb2,
    user_service_pb2,
)
from hanami.type.v1 import access_pb2

from mesh.access import Role
from mesh.masks import check_mask
from mesh.origins import Origins, call_metadata
from mesh.pages import Page
from mesh.tokens import ALGORITHM, PublicKey
from misaki.domain.model import (
    Member,
    Project,
    Session,
    User,
    UserChange,
    project_name,
    user_name,
)
from misaki.domain.provider_logins import LoginStart, Provider
from misaki.domain.sessions import TokenPair, Where
from misaki.domain.signing_keys import PublishedKey
from misaki.ports import SignedToken

_ROLE_PREFIX = "ROLE_"
_MAX_CLIENT_LENGTH = 128


def role_of(number: "access_pb2.Role.ValueType") -> Role:
    """Return the role that a checked message names."""
    return Role(access_pb2.Role.Name(number).removeprefix(_ROLE_PREFIX))


def role_number(role: Role) -> "access_pb2.Role.ValueType":
    """Return the number of a role."""
    return access_pb2.Role.Value(_ROLE_PREFIX + role.value)


def user_change(request: user_service_pb2.UpdateUserRequest) -> UserChange:
    """Return what an update of a user asks for."""
    paths = check_mask(request.update_mask, ["display_name", "admin", "disabled"])
    user = request.user
    return UserChange(
        display_name=user.display_name if "display_name" in paths else None,
        admin=user.admin if "admin" in paths else None,
        disabled=user.disabled if "disabled" in paths else None,
    )


def where(origins: Origins, context: Any, project: str) -> Where:
    """Return where a login comes from, and the project it is for."""
    agent = call_metadata(context).get("user-agent", "")
    return Where(
        origin=origins.of_call(context),
        client="".join(c for c in agent if c.isprintable())[:_MAX_CLIENT_LENGTH],
        project_id=project.removeprefix("projects/"),
    )


def entered_project(project: str) -> str | None:
    """Return the id of the project to switch to: empty for all, None for no change."""
    if not project:
        return None
    project_id = project.removeprefix("projects/")
    return "" if project_id == "-" else project_id


def user_message(user: User) -> user_service_pb2.User:
    """Return a user as it goes over the wire."""
    message = user_service_pb2.User(
        name=user.name,
        display_name=user.display_name,
        admin=user.admin,
        etag=user.etag,
        disabled=user.disabled,
    )
    message.create_time.FromDatetime(user.create_time)
    return message


def users_message(page: Page[User]) -> user_service_pb2.ListUsersResponse:
    """Return a page of users."""
    return user_service_pb2.ListUsersResponse(
        users=map(user_message, page.items), next_page_token=page.next_page_token
    )


def project_message(project: Project) -> project_service_pb2.Project:
    """Return a project as it goes over the wire."""
    message = project_service_pb2.Project(
        name=project.name,
        display_name=project.display_name,
        etag=project.etag,
        creator=user_name(project.creator_id),
    )
    message.create_time.FromDatetime(project.create_time)
    return message


def projects_message(page: Page[Project]) -> project_service_pb2.ListProjectsResponse:
    """Return a page of projects."""
    return project_service_pb2.ListProjectsResponse(
        projects=map(project_message, page.items), next_page_token=page.next_page_token
    )


def member_message(member: Member) -> project_service_pb2.Member:
    """Return a membership as it goes over the wire."""
    message = project_service_pb2.Member(
        name=member.name,
        user=user_name(member.user_id),
        role=role_number(member.role),
        etag=member.etag,
    )
    message.create_time.FromDatetime(member.create_time)
    return message


def members_message(page: Page[Member]) -> project_service_pb2.ListMembersResponse:
    """Return a page of memberships."""
    return project_service_pb2.ListMembersResponse(
        members=map(member_message, page.items), next_page_token=page.next_page_token
    )


def token_pair_message(pair: TokenPair) -> token_service_pb2.TokenPair:
    """Return a pair of tokens."""
    message = token_service_pb2.TokenPair(
        access_token=pair.access.token,
        refresh_token=pair.refresh.token,
        user=pair.user.name,
        session=pair.session.name,
        project=_optional_project(pair.session.project_id),
    )
    message.access_expire_time.FromDatetime(pair.access.expire_time)
    message.refresh_expire_time.FromDatetime(pair.refresh.expire_time)
    return message


def sessions_message(
    page: Page[Session], own: str | None
) -> session_service_pb2.ListSessionsResponse:
    """Return a page of logins; `own` is the id of the caller's."""
    return session_service_pb2.ListSessionsResponse(
        sessions=[_session_message(session, own) for session in page.items],
        next_page_token=page.next_page_token,
    )


def _session_message(session: Session, own: str | None) -> session_service_pb2.Session:
    message = session_service_pb2.Session(
        name=session.name,
        origin=session.origin,
        client=session.client,
        project=_optional_project(session.project_id),
        current=session.session_id == own,
    )
    message.create_time.FromDatetime(session.create_time)
    message.renew_time.FromDatetime(session.renew_time)
    message.expire_time.FromDatetime(session.expire_time)
    return message


def _optional_project(project_id: str) -> str:
    return project_name(project_id) if project_id else ""


def service_token_message(token: SignedToken) -> token_service_pb2.ServiceToken:
    """Return the token of a service."""
    message = token_service_pb2.ServiceToken(access_token=token.token)
    message.access_expire_time.FromDatetime(token.expire_time)
    return message


def login_provider_message(provider: Provider) -> provider_login_service_pb2.LoginProvider:
    """Return what everybody may know of a provider."""
    return provider_login_service_pb2.LoginProvider(
        name=f"loginProviders/{provider.provider_id}",
        display_name=provider.display_name,
        issuer=provider.issuer,
    )


def login_start_message(
    start: LoginStart,
) -> provider_login_service_pb2.StartProviderLoginResponse:
    """Return the beginning of a login."""
    message = provider_login_service_pb2.StartProviderLoginResponse(
        authorization_url=start.authorization_url, handle=start.handle
    )
    message.expire_time.FromDatetime(start.expire_time)
    return message


def signing_key_message(key: PublishedKey) -> signing_key_service_pb2.SigningKey:
    """Return what is known of a signing key, without the key."""
    message = signing_key_service_pb2.SigningKey(
        name=f"signingKeys/{key.times.key_id}",
        state=signing_key_service_pb2.SigningKey.State.Value(f"STATE_{key.state}"),
    )
    message.create_time.FromDatetime(key.times.create_time)
    message.activate_time.FromDatetime(key.times.activate_time)
    if key.expire_time is not None:
        message.expire_time.FromDatetime(key.expire_time)
    return message


def key_message(key: PublicKey) -> token_service_pb2.JsonWebKey:
    """Return a public key as RFC 8037 writes it."""
    jwk = key.as_jwk()
    return token_service_pb2.JsonWebKey(
        kty=jwk["kty"], crv=jwk["crv"], x=jwk["x"], kid=jwk["kid"], use="sig", alg=ALGORITHM
    )
