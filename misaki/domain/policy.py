"""Who may call which method: the contracts' rules, and what an installation changes.

A policy document holds the changed methods only. Versions are never edited: each change
is a new version, so that one can look back and go back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mesh.access import Role


@dataclass(frozen=True)
class PolicyVersion:
    """One version of the policy.

    Attributes:
        version: 1, 2, 3 and so on; 0 is the policy that the contracts state.
        rules: The methods (`/package.Service/Method`) whose roles differ from their
            contract's, with the roles that may call them.
        author: Who made it, `users/{user}`.
        create_time: With a time zone.
    """

    version: int
    rules: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    author: str = ""
    create_time: datetime | None = None
