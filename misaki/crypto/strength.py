"""How easily a password is guessed, by the estimator zxcvbn (Wheeler 2016, USENIX Security)."""

from collections.abc import Sequence

from zxcvbn import zxcvbn

# 0 falls to a thousand guesses, 1 to a million, 2 to a hundred million; with 2 and Argon2id
# behind a throttle, guessing is hopeless on line and expensive with a stolen hash.
LEAST_SCORE = 2
# What comes after adds strength, never takes any, and the estimator is slow on long texts.
_JUDGED_CHARACTERS = 72


def weakness(password: str, known: Sequence[str]) -> str:
    """Return why a password is too easy to guess; nothing when it is not.

    Args:
        password: The password.
        known: What anybody would try first, such as the name of the user.
    """
    verdict = zxcvbn(password[:_JUDGED_CHARACTERS], user_inputs=list(known))
    if verdict["score"] >= LEAST_SCORE:
        return ""
    feedback = verdict["feedback"]
    hints = [feedback["warning"], *feedback["suggestions"]]
    return "is too easy to guess. " + " ".join(_sentence(hint) for hint in hints if hint)


def _sentence(hint: str) -> str:
    return hint if hint.endswith(".") else f"{hint}."
