"""The messages of AccessService, which misaki writes and every service reads."""

from collections.abc import Iterable
from datetime import UTC

from hanami.misaki.v1 import access_service_pb2 as pb
from hanami.type.v1 import access_pb2

from mesh.access import Role
from mesh.access_state import AccessChange, PolicyChanges
from mesh.quota_messages import limits_message, limits_of
from mesh.quotas import PROJECT_DEFAULTS, USER_DEFAULTS, QuotaDefaults
from mesh.revocations import Revocation

_PREFIX = "ROLE_"
_PROJECTS = "projects/"


def change_message(change: AccessChange) -> pb.WatchAccessResponse:
    """Return a change as it goes over the wire."""
    message = pb.WatchAccessResponse(
        complete=change.is_complete,
        revocations=map(_revocation_message, change.revocations),
        key_ids=sorted(change.key_ids or ()),
        deleted_projects=[_PROJECTS + project for project in sorted(change.deleted_projects)],
    )
    if change.policy is not None:
        message.policy.version = change.policy.version
        for method, roles in sorted(change.policy.rules.items()):
            message.policy.rules.add(method=method, roles=role_numbers(roles))
    for subject, limits in sorted(change.quotas.items()):
        message.quotas.add(subject=subject, limits=limits_message(limits))
    if change.quota_defaults is not None:
        message.quota_defaults.project.CopyFrom(limits_message(change.quota_defaults.project))
        message.quota_defaults.user.CopyFrom(limits_message(change.quota_defaults.user))
    return message


def change_of(message: pb.WatchAccessResponse) -> AccessChange:
    """Return the change that a message tells of."""
    policy = _policy_of(message.policy) if message.HasField("policy") else None
    return AccessChange(
        is_complete=message.complete,
        policy=policy,
        revocations=[_revocation_of(revocation) for revocation in message.revocations],
        key_ids=frozenset(message.key_ids) or None,
        quotas={quota.subject: limits_of(quota.limits) for quota in message.quotas},
        quota_defaults=_quota_defaults_of(message),
        deleted_projects=frozenset(
            name.removeprefix(_PROJECTS) for name in message.deleted_projects
        ),
    )


def role_numbers(roles: Iterable[Role]) -> "list[access_pb2.Role.ValueType]":
    """Return roles as messages name them."""
    return [access_pb2.Role.Value(_PREFIX + role.value) for role in sorted(roles)]


def roles_of(numbers: "Iterable[access_pb2.Role.ValueType]") -> frozenset[Role]:
    """Return the roles that a message names; those of a newer contract grant nothing here."""
    known = {access_pb2.Role.Value(_PREFIX + role.value): role for role in Role}
    return frozenset(known[number] for number in numbers if number in known)


def _quota_defaults_of(message: pb.WatchAccessResponse) -> QuotaDefaults | None:
    if not message.HasField("quota_defaults"):
        return None
    defaults = message.quota_defaults
    # A limit that a newer service knows and misaki does not yet is the shipped one.
    return QuotaDefaults(
        {**PROJECT_DEFAULTS, **limits_of(defaults.project)},
        {**USER_DEFAULTS, **limits_of(defaults.user)},
    )


def _policy_of(message: pb.PolicyState) -> PolicyChanges:
    rules = {rule.method: roles_of(rule.roles) for rule in message.rules}
    return PolicyChanges(message.version, rules)


def _revocation_message(revocation: Revocation) -> pb.Revocation:
    message = pb.Revocation(subject=revocation.subject)
    message.issued_before.FromDatetime(revocation.issued_before)
    message.expire_time.FromDatetime(revocation.expire_time)
    return message


def _revocation_of(message: pb.Revocation) -> Revocation:
    return Revocation(
        subject=message.subject,
        issued_before=message.issued_before.ToDatetime(UTC),
        expire_time=message.expire_time.ToDatetime(UTC),
    )
