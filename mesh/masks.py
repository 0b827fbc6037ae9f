"""What an update may change."""

from collections.abc import Sequence

from google.protobuf.field_mask_pb2 import FieldMask

from mesh.errors import InvalidArgument


def check_mask(mask: FieldMask, allowed: Sequence[str]) -> frozenset[str]:
    """Return the fields that an update names.

    Raises:
        InvalidArgument: FIELD_INVALID: none, or one that cannot be changed.
    """
    unknown = [path for path in mask.paths if path not in allowed]
    if unknown or not mask.paths:
        problem = f"{unknown[0]!r} cannot be changed" if unknown else "names no field"
        raise InvalidArgument.for_field(
            "update_mask", f"{problem}; allowed are {', '.join(allowed)}"
        )
    return frozenset(mask.paths)
