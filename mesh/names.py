"""Resource names such as `projects/p/networks/n`, taken apart and put together."""

from mesh.errors import InvalidArgument


def parse(pattern: str, name: str, *, field: str = "name") -> tuple[str, ...]:
    """Return the ids in a resource name.

    Args:
        pattern: The collections with `*` for each id: `projects/*/networks/*`.
        name: The name to take apart.
        field: What to call the name in an error.

    Raises:
        InvalidArgument: FIELD_INVALID, when the name does not follow the pattern.
    """
    wanted, given = pattern.split("/"), name.split("/")
    fits = len(wanted) == len(given) and all(
        bool(value) if part == "*" else part == value
        for part, value in zip(wanted, given, strict=True)
    )
    if not fits:
        raise InvalidArgument.for_field(
            field, f"{name!r} does not have the form {pattern}", metadata={"value": name}
        )
    return tuple(value for part, value in zip(wanted, given, strict=True) if part == "*")


def project_id(name: str, *, field: str = "name") -> str:
    """Return the id of the project that a resource name begins with."""
    return parse("projects/*", "/".join(name.split("/")[:2]), field=field)[0]
