"""The order of messages on a stream, as a state machine without any input or output."""

from dataclasses import dataclass
from enum import StrEnum

from mesh.errors import InvalidArgument


class Phase(StrEnum):
    """What has happened on a stream so far."""

    NEW = "NEW"
    OPEN = "OPEN"
    CLOSING = "CLOSING"


@dataclass
class StreamProtocol:
    """Follows a stream and refuses messages that come out of turn.

    Attributes:
        window_rows: rows that may be under way unanswered.
        window_bytes: memory that they may take.
        outstanding_rows: rows that are.
        outstanding_bytes: memory that they take.
        in_session: whether frames may come again.
    """

    phase: Phase = Phase.NEW
    window_rows: int = 0
    window_bytes: int = 0
    last_sequence: int = 0
    outstanding_rows: int = 0
    outstanding_bytes: int = 0
    in_session: bool = False

    @property
    def has_room(self) -> bool:
        """Whether the window lets another frame in."""
        return (
            self.outstanding_rows < self.window_rows and self.outstanding_bytes < self.window_bytes
        )

    def open(self, window_rows: int, window_bytes: int) -> None:
        """Take the first message.

        Raises:
            InvalidArgument: STREAM_PROTOCOL.
        """
        if self.phase is not Phase.NEW:
            raise out_of_turn("frame, authentication or close", "open")
        self.phase = Phase.OPEN
        self.window_rows = window_rows
        self.window_bytes = window_bytes

    def frame(self, sequence: int, rows: int, byte_count: int) -> None:
        """Take a frame; in a session it is the session that looks at the sequence.

        Raises:
            InvalidArgument: STREAM_PROTOCOL.
        """
        self._need_open("frame")
        least = 1 if self.in_session else self.last_sequence + 1
        if sequence < least:
            raise out_of_turn(f"a sequence of at least {least}", str(sequence))
        self.last_sequence = sequence
        self.waits(rows, byte_count)

    def waits(self, rows: int, byte_count: int) -> None:
        """Note what waits for its answer; a fault or an empty frame counts as one row."""
        self.outstanding_rows += max(rows, 1)
        self.outstanding_bytes += byte_count

    def answered(self, rows: int, byte_count: int) -> None:
        """Note that it has been answered."""
        self.outstanding_rows -= max(rows, 1)
        self.outstanding_bytes -= byte_count

    def authentication(self) -> None:
        """Take a fresh token.

        Raises:
            InvalidArgument: STREAM_PROTOCOL.
        """
        self._need_open("authentication")

    def close(self) -> None:
        """Take the last message.

        Raises:
            InvalidArgument: STREAM_PROTOCOL.
        """
        self._need_open("close")
        self.phase = Phase.CLOSING

    def _need_open(self, actual: str) -> None:
        if self.phase is Phase.NEW:
            raise out_of_turn("open", actual)
        if self.phase is Phase.CLOSING:
            raise out_of_turn("nothing after close", actual)


def out_of_turn(expected: str, actual: str) -> InvalidArgument:
    """Return the error of a message that may not come now."""
    return InvalidArgument(
        f"expected {expected}, but {actual} came",
        reason="STREAM_PROTOCOL",
        metadata={"expected": expected, "actual": actual},
    )
