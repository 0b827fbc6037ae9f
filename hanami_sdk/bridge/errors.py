"""What is wrong with a bridge, said to a person."""

from __future__ import annotations


class BridgeError(Exception):
    """The bridge cannot do what its configuration asks for.

    Attributes:
        sentence: what is wrong.
        hint: what to do about it; empty when nothing helps.
    """

    def __init__(self, sentence: str, *, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint


class ConfigurationInvalid(BridgeError):
    """A field of the configuration is wrong; the sentence names it."""


class MessageUnreadable(Exception):
    """A message cannot be turned into rows; its text says why."""
