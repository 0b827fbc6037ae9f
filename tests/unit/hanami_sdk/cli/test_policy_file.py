"""The policy as people write it."""

import pytest
from hanami.misaki.v1 import access_service_pb2
from hanami.misaki.v1.policy_service_pb2 import Policy

from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.cli.policy_file import by_method, full_method, parse_policy, policy_text

CREATE = "/hanami.kyouko.v1.NetworkService/CreateNetwork"
LIST = "/hanami.kyouko.v1.NetworkService/ListNetworks"
METHODS = (CREATE, LIST, "/hanami.shiori.v1.OtherService/ListNetworks")


def test_what_is_printed_is_read_again() -> None:
    """Every role, and a method that is shut."""
    policy = Policy(
        name="policies/7",
        author="users/root",
        rules=[
            access_service_pb2.MethodRoles(method=CREATE, roles=[1, 2, 3, 4, 5, 6]),
            access_service_pb2.MethodRoles(method=LIST),
        ],
    )

    rules = by_method(parse_policy(policy_text(policy), METHODS))

    everybody = ("ADMIN", "PROJECT_ADMIN", "MEMBER", "VIEWER", "SERVICE", "DEVICE")
    assert {CREATE: everybody, LIST: ()} == rules


def test_comments_and_empty_lines_say_nothing() -> None:
    """The number of a rule's line counts them, too."""
    (rule,) = parse_policy("\n# why\n\n CreateNetwork :  admin # only them\n", METHODS)

    assert (4, CREATE, ("ADMIN",)) == (rule.line, rule.method, rule.roles)


@pytest.mark.parametrize(
    "name", [CREATE, "CreateNetwork", "NetworkService/CreateNetwork", CREATE.removeprefix("/")]
)
def test_the_end_of_a_name_is_enough(name: str) -> None:
    """As much of it as names one method."""
    assert CREATE == full_method(name, METHODS)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("CreateNetwork", "not of the form"),
        ("CreateNetwork: boss", "no role 'boss'"),
        ("CreateNetwork: admin,", "no role ''"),
        ("Network: admin", "no method Network"),
        ("ListNetworks: admin", "Several methods"),
    ],
)
def test_mistakes_are_told_with_their_line(line: str, words: str) -> None:
    """One sentence that begins with the line."""
    with pytest.raises(CommandFailure) as caught:
        parse_policy(f"# first\n{line}\n", METHODS)

    assert caught.value.message.startswith("Line 2: ")
    assert words in caught.value.message
    assert 2 == caught.value.exit_code


def test_a_method_is_named_once() -> None:
    """Both lines are told."""
    rules = parse_policy("CreateNetwork: admin\nNetworkService/CreateNetwork: viewer\n", METHODS)

    with pytest.raises(CommandFailure, match=r"Line 2: .* in line 1 already"):
        by_method(rules)
