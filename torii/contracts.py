"""All contracts of the mesh, so that reflection can tell of them.

Importing a generated module makes its descriptors known; a test checks that no
service is missing here.
"""

from collections.abc import Mapping, Sequence

from google.protobuf.descriptor import FileDescriptor
from hanami.azuki.v1 import monitoring_service_pb2
from hanami.inference import grpc_service_pb2
from hanami.kyouko.v1 import (
    learning_service_pb2,
    network_service_pb2,
    task_service_pb2,
    template_service_pb2,
)
from hanami.kyouko.v1 import usage_service_pb2 as learning_usage_pb2
from hanami.misaki.v1 import (
    access_service_pb2,
    api_key_service_pb2,
    client_service_pb2,
    oauth_service_pb2,
    policy_service_pb2,
    project_service_pb2,
    provider_login_service_pb2,
    quota_service_pb2,
    session_service_pb2,
    signing_key_service_pb2,
    token_service_pb2,
    user_service_pb2,
)
from hanami.shiori.v1 import audit_service_pb2, dataset_service_pb2, error_service_pb2
from hanami.shiori.v1 import usage_service_pb2 as dataset_usage_pb2
from hanami.torii.v1 import mesh_service_pb2

_FILES: Sequence[FileDescriptor] = (
    monitoring_service_pb2.DESCRIPTOR,
    learning_service_pb2.DESCRIPTOR,
    network_service_pb2.DESCRIPTOR,
    task_service_pb2.DESCRIPTOR,
    template_service_pb2.DESCRIPTOR,
    learning_usage_pb2.DESCRIPTOR,
    access_service_pb2.DESCRIPTOR,
    api_key_service_pb2.DESCRIPTOR,
    client_service_pb2.DESCRIPTOR,
    oauth_service_pb2.DESCRIPTOR,
    policy_service_pb2.DESCRIPTOR,
    project_service_pb2.DESCRIPTOR,
    provider_login_service_pb2.DESCRIPTOR,
    quota_service_pb2.DESCRIPTOR,
    session_service_pb2.DESCRIPTOR,
    signing_key_service_pb2.DESCRIPTOR,
    token_service_pb2.DESCRIPTOR,
    user_service_pb2.DESCRIPTOR,
    audit_service_pb2.DESCRIPTOR,
    dataset_service_pb2.DESCRIPTOR,
    error_service_pb2.DESCRIPTOR,
    dataset_usage_pb2.DESCRIPTOR,
    mesh_service_pb2.DESCRIPTOR,
    grpc_service_pb2.DESCRIPTOR,
)
# Public contracts do not say in their names who serves them.
_SERVED_BY: Mapping[str, str] = {"inference": "kyouko"}
MESH_SERVICE = "hanami.torii.v1.MeshService"
LEARN_METHOD = "/hanami.kyouko.v1.LearningService/Learn"


def grpc_services() -> Mapping[str, Sequence[str]]:
    """Return the full names of the gRPC services of every service: `kyouko` and so on."""
    found: dict[str, list[str]] = {}
    for file in _FILES:
        service = _SERVED_BY.get(file.package) or file.package.split(".")[1]
        names = (descriptor.full_name for descriptor in file.services_by_name.values())
        found.setdefault(service, []).extend(names)
    return {service: sorted(names) for service, names in sorted(found.items())}
