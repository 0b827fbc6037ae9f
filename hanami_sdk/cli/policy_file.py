"""The policy as people write it: a line for each method whose roles are not its contract's.

    # Members may read networks, and only their project's administrators make them.
    NetworkService/CreateNetwork: admin, project-admin
    TemplateService/ParseTemplate: nobody

A method is named in full (`/package.Service/Method`), or by as much of the end as names it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.roles import WIRE_NAMES, AnyRole, roles_text

if TYPE_CHECKING:
    from hanami.misaki.v1.policy_service_pb2 import Policy

    from hanami_sdk.areas.policies import RoleName

_NOBODY = "nobody"


@dataclass(frozen=True)
class Rule:
    """One line of the file."""

    line: int
    method: str
    roles: tuple[RoleName, ...]


def policy_text(policy: Policy) -> str:
    """Return a version of the policy as a file."""
    version = policy.name.rpartition("/")[2]
    head = f"# Version {version} of the policy." if version else "# What would be the next version."
    if policy.author:
        head += f" Made by {policy.author}, {policy.create_time.ToJsonString()}."
    lines = [head, "# Methods that are not named have the roles of their contract."]
    lines += [f"{rule.method}: {roles_text(rule.roles)}" for rule in policy.rules]
    return "\n".join([*lines, ""])


def parse_policy(text: str, methods: Collection[str]) -> list[Rule]:
    """Return the rules of a file.

    Args:
        text: the file.
        methods: all methods of the mesh, with their full names.

    Raises:
        CommandFailure: a line that is none; the message names it.
    """
    rules = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.partition("#")[0].strip()
        if line:
            rules.append(_rule(number, line, methods))
    return rules


def by_method(rules: Iterable[Rule]) -> Mapping[str, Sequence[RoleName]]:
    """Return what the mesh is told.

    Raises:
        CommandFailure: a method is named twice.
    """
    found: dict[str, Rule] = {}
    for rule in rules:
        if (before := found.get(rule.method)) is not None:
            raise _wrong(rule.line, f"{rule.method} is named in line {before.line} already")
        found[rule.method] = rule
    return {method: rule.roles for method, rule in found.items()}


def full_method(name: str, methods: Collection[str]) -> str:
    """Return the full name of a method that is named by the end of it.

    Raises:
        CommandFailure: no method ends like this, or several do.
    """
    fitting = [m for m in methods if m == name or m.endswith((f"/{name}", f".{name}"))]
    if len(fitting) == 1:
        return fitting[0]
    problem = f"Several methods end with {name}" if fitting else f"There is no method {name}"
    raise CommandFailure(
        f"{problem}.",
        hint=f"Name it further: {', '.join(sorted(fitting))}"
        if fitting
        else "See all: hanami policy methods",
        exit_code=EXIT_USAGE,
    )


def _rule(number: int, line: str, methods: Collection[str]) -> Rule:
    name, colon, words = (part.strip() for part in line.partition(":"))
    if not colon or not name or not words:
        raise _wrong(number, "this is not of the form METHOD: ROLE, ROLE")
    try:
        method = full_method(name, methods)
    except CommandFailure as failure:
        raise _wrong(number, failure.message, failure.hint) from None
    if words == _NOBODY:
        return Rule(number, method, ())
    return Rule(number, method, tuple(_role(number, word.strip()) for word in words.split(",")))


def _role(number: int, word: str) -> RoleName:
    try:
        return WIRE_NAMES[AnyRole(word)]
    except ValueError:
        known = ", ".join(AnyRole)
        raise _wrong(number, f"there is no role {word!r}", f"Roles: {known}; or nobody") from None


def _wrong(number: int, problem: str, hint: str = "") -> CommandFailure:
    whole = problem if problem.endswith(".") else f"{problem}."
    return CommandFailure(f"Line {number}: {whole}", hint=hint, exit_code=EXIT_USAGE)
