"""What all websockets together may hold."""

from dataclasses import dataclass

from torii.domain.memory import Memory


@dataclass(eq=False)
class Box:
    """A holder that remembers whether it had to go."""

    is_dropped: bool = False

    def drop(self) -> None:
        """Remember it."""
        self.is_dropped = True


def test_what_is_held_adds_up() -> None:
    """Each holder counts with what it said last."""
    memory = Memory(100)
    first, second = Box(), Box()

    memory.hold(first, 30)
    memory.hold(second, 40)
    memory.hold(first, 10)

    assert 50 == memory.total_bytes
    assert (False, False) == (first.is_dropped, second.is_dropped)


def test_whoever_holds_most_has_to_go() -> None:
    """The small one that brings the sum over the limit may stay."""
    memory = Memory(100)
    large, small = Box(), Box()
    memory.hold(large, 95)

    memory.hold(small, 6)

    assert (True, False) == (large.is_dropped, small.is_dropped)
    assert 6 == memory.total_bytes


def test_one_may_be_too_much_alone() -> None:
    """Nothing is left when the only holder holds too much."""
    memory = Memory(100)
    only = Box()

    memory.hold(only, 101)

    assert only.is_dropped
    assert 0 == memory.total_bytes
