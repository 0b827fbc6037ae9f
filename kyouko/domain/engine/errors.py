"""What the engine refuses, as plain errors without any transport in them."""

__all__ = ["EngineInputError", "EngineStateError", "EngineStructureError"]


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


class EngineStateError(ValueError):
    """An exported state that does not belong to the structure or to this version."""
