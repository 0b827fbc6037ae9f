"""What a service says beside an answer: that a quota is nearly used up."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

_KEY = "hanami-quota-warning"


class QuotaWarning(UserWarning):
    """A project or a user has nearly as much as a quota allows."""


async def warn_of_quotas(call: Any) -> None:
    """Warn of what came with the answer of a call that has ended well."""
    for text in texts_in(await call.trailing_metadata() or ()):
        warnings.warn(text, QuotaWarning, stacklevel=2)


def texts_in(trailers: Iterable[tuple[str, str | bytes]]) -> list[str]:
    """Return the warnings in trailing metadata."""
    return [str(value) for key, value in trailers if key == _KEY]
