"""Messages to and from what the domain speaks of."""

from hanami.misaki.v1 import project_service_pb2, token_service_pb2, user_service_pb2
from hanami.type.v1 import access_pb2

from mesh.access import Role
from mesh.pages import Page
from mesh.tokens import ALGORITHM, PublicKey
from misaki.domain.model import Member, Project, User, user_name
from misaki.domain.sessions import TokenPair
from misaki.ports import SignedToken

_ROLE_PREFIX = "ROLE_"


def role_of(number: "access_pb2.Role.ValueType") -> Role:
    """Return the role that a checked message names."""
    return Role(access_pb2.Role.Name(number).removeprefix(_ROLE_PREFIX))


def user_message(user: User) -> user_service_pb2.User:
    """Return a user as it goes over the wire."""
    message = user_service_pb2.User(
        name=user.name, display_name=user.display_name, admin=user.admin, etag=user.etag
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
        role=access_pb2.Role.Value(_ROLE_PREFIX + member.role.value),
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
        access_token=pair.access.token, refresh_token=pair.refresh.token, user=pair.user.name
    )
    message.access_expire_time.FromDatetime(pair.access.expire_time)
    message.refresh_expire_time.FromDatetime(pair.refresh.expire_time)
    return message


def service_token_message(token: SignedToken) -> token_service_pb2.ServiceToken:
    """Return the token of a service."""
    message = token_service_pb2.ServiceToken(access_token=token.token)
    message.access_expire_time.FromDatetime(token.expire_time)
    return message


def key_message(key: PublicKey) -> token_service_pb2.JsonWebKey:
    """Return a public key as RFC 8037 writes it."""
    jwk = key.as_jwk()
    return token_service_pb2.JsonWebKey(
        kty=jwk["kty"], crv=jwk["crv"], x=jwk["x"], kid=jwk["kid"], use="sig", alg=ALGORITHM
    )
