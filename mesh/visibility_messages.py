"""Who may know of a resource, as messages tell it."""

from hanami.type.v1 import visibility_pb2 as pb

from mesh.visibility import Visibility

_PREFIX = "VISIBILITY_"


def visibility_number(visibility: Visibility) -> "pb.Visibility.ValueType":
    """Return a visibility as messages name it."""
    return pb.Visibility.Value(_PREFIX + visibility.value)


def visibility_of(number: "pb.Visibility.ValueType") -> Visibility:
    """Return the visibility that a message names; SHARED when it names none."""
    if number == pb.VISIBILITY_UNSPECIFIED:
        return Visibility.SHARED
    return Visibility(pb.Visibility.Name(number).removeprefix(_PREFIX))
