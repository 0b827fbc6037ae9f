"""Every RPC of the contracts, and requests for them that keep the rules of their fields.

All of it is read from the descriptors: a new RPC, and a new field of an old one, is there
without any edit. A rule that no request can be built for is an error, not a gap.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import protovalidate
from buf.validate import validate_pb2
from google.api import field_behavior_pb2, resource_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hanami.inference import grpc_service_pb2 as inference_pb
from hanami.misaki.v1 import api_key_service_pb2
from hanami.misaki.v1 import quota_service_pb2 as quota_pb
from hanami.type.v1.quota_pb2 import QuotaLimits

from hanami_sdk.local.contracts import PACKAGES
from mesh.access import AccessRule
from mesh.contracts import all_services
from mesh.policy import rules_of

Names = Mapping[str, str]
NETWORK = "hanami.dev/Network"
# Tried in turn where a contract says how a text has to look; never a name of anything.
_TEXTS = (
    "sample",
    "a sample of 20 words",
    "5a" * 16,
    "5a" * 32,
    "data",
    "users/sample",
    "projects/sample",
)
# The public contract has no annotations: its models are our networks.
_MODEL_FIELDS: Mapping[str, Sequence[str]] = {"inference": ("name", "model_name")}
_LIMITS = QuotaLimits(networks=1)
_CHANGED_LIMIT = FieldMask(paths=["limits.networks"])
# What has to be set though no rule of a contract says so.
_EXAMPLES: Mapping[str, Message] = {
    "/inference.GRPCInferenceService/ModelInfer": inference_pb.ModelInferRequest(
        inputs=[
            inference_pb.ModelInferRequest.InferInputTensor(
                name="inputs",
                datatype="FP32",
                shape=[1, 4],
                contents=inference_pb.InferTensorContents(fp32_contents=[1.0] * 4),
            )
        ]
    ),
    "/hanami.misaki.v1.ApiKeyService/CreateApiKey": api_key_service_pb2.CreateApiKeyRequest(
        api_key=api_key_service_pb2.ApiKey(actions=[api_key_service_pb2.KEY_ACTION_LEARN])
    ),
    "/hanami.misaki.v1.QuotaService/UpdateProjectQuota": quota_pb.UpdateProjectQuotaRequest(
        quota=quota_pb.ProjectQuota(limits=_LIMITS), update_mask=_CHANGED_LIMIT
    ),
    "/hanami.misaki.v1.QuotaService/UpdateUserQuota": quota_pb.UpdateUserQuotaRequest(
        quota=quota_pb.UserQuota(limits=_LIMITS), update_mask=_CHANGED_LIMIT
    ),
}
_WRITTEN_BY_US = {field_behavior_pb2.IDENTIFIER, field_behavior_pb2.OUTPUT_ONLY}


@dataclass(frozen=True)
class Rpc:
    """One RPC: which process serves it, how it is called, and who may, by its contract."""

    service: str
    rule: AccessRule
    method: MethodDescriptor = field(repr=False)

    @property
    def path(self) -> str:
        """The path of its calls."""
        return self.rule.method

    @property
    def request_type(self) -> type[Message]:
        """What it takes."""
        return GetMessageClass(self.method.input_type)

    @property
    def response_type(self) -> type[Message]:
        """What it answers."""
        return GetMessageClass(self.method.output_type)


@dataclass(frozen=True)
class Reference:
    """A field of a request that names a resource: where it is, and of which type."""

    path: tuple[FieldDescriptor, ...]
    resource_type: str

    def __str__(self) -> str:
        return ".".join(step.name for step in self.path)


def every_rpc() -> Sequence[Rpc]:
    """Return every RPC of every service, ordered by path."""
    found = [
        Rpc(_served_by(service.file.package), rule, method)
        for service in all_services()
        for rule, method in zip(rules_of(service), service.methods, strict=True)
    ]
    return sorted(found, key=lambda rpc: rpc.path)


def resource_types() -> Mapping[str, str]:
    """Return the pattern of every resource that a contract declares, by its type."""
    files = {service.file for service in all_services()}
    resources = [
        message.GetOptions().Extensions[resource_pb2.resource]
        for file in files
        for message in file.message_types_by_name.values()
    ]
    return {resource.type: resource.pattern[0] for resource in resources if resource.type}


def names_of(ids: Mapping[str, str]) -> Names:
    """Return a name of every resource type.

    Args:
        ids: The id for each variable of the patterns, such as `network`.
    """
    return {kind: pattern.format(**ids) for kind, pattern in resource_types().items()}


def request_for(rpc: Rpc, names: Names) -> Message:
    """Return a request that sets what the contract wants set, and speaks of these resources."""
    request = rpc.request_type()
    request.MergeFrom(_EXAMPLES.get(rpc.path, request))
    _fill(request, names)
    is_update = "update_mask" in rpc.method.input_type.fields_by_name
    if is_update and rpc.path not in _EXAMPLES:
        _change_something(request)
    return request


def references_of(rpc: Rpc) -> Sequence[Reference]:
    """Return every field of a request that names a resource, whether it has to be set or not.

    The name in a resource that is to be made is none: services choose it.
    """
    found = _references(rpc.method.input_type, ())
    makes = rpc.method.name.startswith("Create")
    return [item for item in found if not (makes and _is_own_name(item.path[-1]))]


def with_reference(request: Message, reference: Reference, name: str) -> Message:
    """Return a copy of a request in which one field names another resource."""
    copy = type(request)()
    copy.CopyFrom(request)
    message: Any = copy
    for step in reference.path[:-1]:
        message = getattr(message, step.name)
        if step.is_repeated:
            message = message[0] if message else message.add()
    last = reference.path[-1].name
    if reference.path[-1].is_repeated:
        getattr(message, last)[:] = [name]
    else:
        setattr(message, last, name)
    return copy


def _served_by(package: str) -> str:
    return next(service for service, packages in PACKAGES.items() if package in packages)


def _references(message: Descriptor, before: tuple[FieldDescriptor, ...]) -> Iterator[Reference]:
    for item in message.fields:
        path = (*before, item)
        if item.message_type is None:
            kind = _resource_type(item)
            if kind and item.type == FieldDescriptor.TYPE_STRING:
                yield Reference(path, kind)
        elif item.message_type not in [step.message_type for step in before]:
            yield from _references(item.message_type, path)


def _resource_type(item: Any) -> str:
    """Return what a field names: by its annotation, as a resource's own name, or as a filter."""
    kind = str(item.GetOptions().Extensions[resource_pb2.resource_reference].type)
    owner = item.containing_type
    if not kind and _is_own_name(item):
        kind = str(owner.GetOptions().Extensions[resource_pb2.resource].type)
    if not kind and item.name in _MODEL_FIELDS.get(item.file.package, ()):
        is_request = owner.name.startswith("Model") and owner.name.endswith("Request")
        kind = NETWORK if is_request else ""
    if not kind and owner.name.endswith("Filter"):
        kind = next((t for t in resource_types() if t == _type_called(item.name)), "")
    return kind


def _is_own_name(item: FieldDescriptor) -> bool:
    return field_behavior_pb2.IDENTIFIER in _behaviours(item)


def _type_called(field_name: str) -> str:
    return f"hanami.dev/{field_name.capitalize()}"


def _fill(message: Any, names: Names) -> None:
    for oneof in message.DESCRIPTOR.oneofs:
        if oneof.GetOptions().Extensions[validate_pb2.oneof].required:
            _set(message, oneof.fields[0], names)
    for item in message.DESCRIPTOR.fields:
        if item.containing_oneof is None and _has_to_be_set(item):
            _set(message, item, names)


def _has_to_be_set(item: Any) -> bool:
    rules = _rules(item)
    behaviours = _behaviours(item)
    wanted = {field_behavior_pb2.REQUIRED, field_behavior_pb2.IDENTIFIER} & behaviours
    if wanted or rules.required or (_resource_type(item) and item.file.package in _MODEL_FIELDS):
        return True
    if rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE or item.is_repeated:
        return False
    refused = rules.string.pattern and not re.search(rules.string.pattern, "")
    chosen = list(getattr(rules.enum, "in"))
    return bool(refused or 0 in rules.enum.not_in or (chosen and 0 not in chosen))


def _set(message: Any, item: FieldDescriptor, names: Names) -> None:
    if item.message_type is not None:
        target = getattr(message, item.name)
        if item.is_repeated:
            target = target.add()
        target.SetInParent()
        if not item.message_type.full_name.startswith("google."):
            _fill(target, names)
    elif item.is_repeated:
        getattr(message, item.name).append(_value(item, names))
    else:
        setattr(message, item.name, _value(item, names))


def _value(item: FieldDescriptor, names: Names) -> Any:
    rules = _rules(item)
    if item.type == FieldDescriptor.TYPE_STRING:
        kind = _resource_type(item)
        return names[kind] if kind else _text(item, rules.string)
    if item.type == FieldDescriptor.TYPE_BYTES:
        return b"x" * max(1, rules.bytes.min_len)
    if item.type == FieldDescriptor.TYPE_ENUM:
        return _enum_value(item, rules.enum)
    if item.type == FieldDescriptor.TYPE_BOOL:
        return True
    return 1


def _text(item: FieldDescriptor, rules: Any) -> str:
    if getattr(rules, "in"):
        return str(getattr(rules, "in")[0])
    fitting = (
        text for text in _TEXTS if re.search(rules.pattern, text) and len(text) >= rules.min_len
    )
    text = next(fitting, None)
    if text is None:
        raise LookupError(f"no sample text keeps the rules of {item.full_name}")
    return text


def _enum_value(item: Any, rules: Any) -> int:
    allowed: list[int] = list(getattr(rules, "in")) or list(item.enum_type.values_by_number)
    return next(number for number in allowed if number and number not in rules.not_in)


def _change_something(request: Any) -> None:
    """Make an update change the first field that the contract lets clients change."""
    resource = next(
        getattr(request, item.name)
        for item in request.DESCRIPTOR.fields
        if item.message_type and item.message_type.GetOptions().HasExtension(resource_pb2.resource)
    )
    for item in resource.DESCRIPTOR.fields:
        if _behaviours(item) & _WRITTEN_BY_US or item.message_type or item.name == "etag":
            continue
        request.update_mask.paths[:] = [item.name]
        values = item.enum_type.values_by_number if item.enum_type else ["sample"]
        for value in values:
            setattr(resource, item.name, value)
            if not protovalidate.collect_violations(request):
                return
        resource.ClearField(item.name)
    raise LookupError(f"no update fits the contract of {request.DESCRIPTOR.full_name}")


def _behaviours(item: FieldDescriptor) -> set[int]:
    return set(item.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def _rules(item: FieldDescriptor) -> Any:
    return item.GetOptions().Extensions[validate_pb2.field]
