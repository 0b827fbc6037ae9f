"""Reads out of the contracts which calls belong into the audit log."""

from collections.abc import Iterable, Mapping

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from hanami.type.v1 import access_pb2, audit_pb2

_READS = ("Get", "List", "Watch")
_NO_SIDE_EFFECTS = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS

ALWAYS = int(audit_pb2.AUDIT_ALWAYS)
REFUSALS = int(audit_pb2.AUDIT_REFUSALS)
NEVER = int(audit_pb2.AUDIT_NEVER)


class AuditRules:
    """What is written of each method; nothing of methods that no contract of ours names."""

    def __init__(self, service_names: Iterable[str]) -> None:
        """Read the contracts of services, such as `hanami.kyouko.v1.TaskService`."""
        pool = descriptor_pool.Default()
        methods = {
            f"/{name}/{method.name}": method
            for name in service_names
            for method in pool.FindServiceByName(name).methods
        }
        self._rules: Mapping[str, int] = {
            path: _rule_of(method) for path, method in methods.items()
        }
        self._logins = {
            path
            for path, method in methods.items()
            if method.GetOptions().Extensions[access_pb2.access].public
        }

    def rule_of(self, method: str) -> int:
        """Return what is written of calls of a method, `/package.Service/Method`."""
        return self._rules.get(method, NEVER)

    def is_login(self, method: str) -> bool:
        """Return whether a method is called without a token, to get one."""
        return method in self._logins


def _rule_of(method: MethodDescriptor) -> int:
    options = method.GetOptions()
    declared = int(options.Extensions[audit_pb2.audit])
    if declared != audit_pb2.AUDIT_UNSPECIFIED:
        return declared
    is_read = method.name.startswith(_READS) or options.idempotency_level == _NO_SIDE_EFFECTS
    return REFUSALS if is_read else ALWAYS
