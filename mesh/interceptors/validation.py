"""Checks unary requests against the rules of their contract."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mesh import validation as rules
from mesh.interceptors.chain import Call


@asynccontextmanager
async def validation(call: Call) -> AsyncIterator[None]:
    """Refuse a request that breaks its rules; streams check their own messages."""
    if call.request is not None:
        rules.check(call.request)
    yield
