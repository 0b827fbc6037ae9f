"""What the engine refuses, as plain errors without any transport in them."""

__all__ = ["EngineInputError", "EngineMemoryError", "EngineStateError", "EngineStructureError"]


class EngineInputError(ValueError):
    """An array that does not fit the network; nothing was learned from it.

    Attributes:
        field: name of the argument.
        problem: what was found.
        allowed: what would have been accepted.
    """

    def __init__(self, field: str, problem: str, allowed: str) -> None:
        """Keep the three parts apart, so that a caller can translate them."""
        super().__init__(f"{field}: {problem}; allowed: {allowed}")
        self.field = field
        self.problem = problem
        self.allowed = allowed


class EngineStructureError(EngineInputError):
    """A structure from which no network can be made."""


class EngineMemoryError(EngineStructureError):
    """A structure that its memory limit does not hold.

    Attributes:
        needed_bytes: the least limit with which the network can be made.
    """

    def __init__(self, limit_bytes: int, needed_bytes: int, or_else: str = "") -> None:
        """Say how much the limit is, how much it has to be, and what would help besides."""
        super().__init__(
            "options.memory_limit_bytes",
            f"{limit_bytes} bytes do not hold this network",
            f"at least {needed_bytes} bytes for this structure{or_else}",
        )
        self.needed_bytes = needed_bytes


class EngineStateError(ValueError):
    """An exported state that does not belong to the structure or to this version."""
