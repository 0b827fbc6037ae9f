"""What must not be written is not written."""

from hanami.kyouko.v1 import learning_service_pb2
from hanami.misaki.v1 import token_service_pb2, user_service_pb2

from mesh.redaction import hidden, secrets_in
from tests.signing import Signer


def test_secrets_are_found_by_the_names_of_their_fields() -> None:
    """Passwords, secrets and tokens are secret, names are not."""
    login = token_service_pb2.LoginRequest(user_id="alice", password="open sesame")
    renewal = token_service_pb2.RefreshTokenRequest(refresh_token="r-1234")
    service = token_service_pb2.IssueServiceTokenRequest(service="kyouko", secret="mesh secret")

    assert {"open sesame"} == secrets_in(login)
    assert {"r-1234"} == secrets_in(renewal)
    assert {"mesh secret"} == secrets_in(service)


def test_secrets_are_found_at_any_depth() -> None:
    """A token inside of a message of a message is found."""
    message = learning_service_pb2.SendLearningRequest(
        message=learning_service_pb2.LearnRequest(
            authentication=learning_service_pb2.LearnAuthentication(access_token="deep token")
        )
    )

    assert "deep token" in secrets_in(message)


def test_very_short_values_are_no_secrets() -> None:
    """Hiding a letter would hide every word, and protect nothing."""
    assert set() == secrets_in(user_service_pb2.CreateUserRequest(password="abc"))


def test_secrets_are_hidden_as_they_are_and_as_python_quotes_them() -> None:
    """An error that repeats a request does not get it into a log."""
    secret = 'it\'s\na "pass\\word"'

    text = hidden(f"wrong: {secret}, {secret!r}, {ValueError(secret)!r}", frozenset({secret}))

    assert "wrong: [hidden], '[hidden]', ValueError('[hidden]')" == text.replace('"', "'")


def test_tokens_are_hidden_wherever_they_come_from() -> None:
    """A signed token is recognised by its form."""
    token = Signer().token()

    assert "Bearer [hidden], and on" == hidden(f"Bearer {token}, and on")
