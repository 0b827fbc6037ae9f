"""What happens around every call, from outside in.

Telemetry, audit, errors, warnings, authentication, validation, deadline; around unary calls that
change something also completion, and idempotency when they carry a `request_id`.
Each layer is an asynchronous context manager around the whole call, so it costs
nothing per message of a stream.
"""

from mesh.interceptors.audit import audit
from mesh.interceptors.authentication import authentication
from mesh.interceptors.chain import Call, Layer, LayeredInterceptor
from mesh.interceptors.deadline import deadline
from mesh.interceptors.errors import errors
from mesh.interceptors.quota_warnings import quota_warnings
from mesh.interceptors.telemetry import call_telemetry
from mesh.interceptors.validation import validation

__all__ = [
    "Call",
    "Layer",
    "LayeredInterceptor",
    "audit",
    "authentication",
    "call_telemetry",
    "deadline",
    "errors",
    "quota_warnings",
    "validation",
]
