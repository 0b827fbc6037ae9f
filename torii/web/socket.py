"""A websocket that knows how much it holds, and may hold little before it is trusted."""

from collections import deque
from typing import Any

from websockets.asyncio.server import Server, ServerConnection
from websockets.frames import DATA_OPCODES, Frame
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

from mesh import status
from mesh.errors import DomainError, ResourceExhausted
from torii.convert import fault_frame
from torii.domain.guests import Guest
from torii.domain.memory import Memory
from torii.web.closing import close_code, shortened

# What a frame takes beside its data, roughly: tiny frames are not for nothing.
_FRAME_BYTES = 512


class LearnSocket(ServerConnection):
    """Tells a `Memory` what it holds: messages not yet passed on, answers not yet read.

    Attributes:
        guest: Whose it is.
        refusal: What is wrong with its opening request.
    """

    def __init__(
        self, protocol: ServerProtocol, server: Server, *, memory: Memory, **options: Any
    ) -> None:
        super().__init__(protocol, server, **options)
        self.guest = Guest()
        self.refusal: DomainError | None = None
        self._memory = memory
        self._complete: deque[int] = deque()
        self._unfinished = 0
        self._in_hand = 0
        self._is_dropped = False

    def trust(self, *, max_message_bytes: int) -> None:
        """Let messages of this size come from now on."""
        self.protocol.max_message_size = max_message_bytes

    async def next_message(self) -> str | bytes:
        """Return the next message; it counts as held until this is called again."""
        self._in_hand = 0
        message = await self.recv()
        self._in_hand = self._complete.popleft()
        return message

    def data_received(self, data: bytes) -> None:
        """Take in bytes."""
        super().data_received(data)
        self._account()

    def process_event(self, event: Event) -> None:
        """Take in a whole frame."""
        super().process_event(event)
        if isinstance(event, Frame) and event.opcode in DATA_OPCODES:
            self._unfinished += len(event.data) + _FRAME_BYTES
            if event.fin:
                self._complete.append(self._unfinished)
                self._unfinished = 0

    def send_data(self) -> None:
        """Pass on what is to be sent."""
        super().send_data()
        self._account()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget all that is held."""
        super().connection_lost(exc)
        self._is_dropped = True
        self._memory.hold(self, 0)

    def drop(self) -> None:
        """End at once with a reason; what the client still sends is thrown away."""
        self._is_dropped = True
        reason = status.status_of(_too_much_held())
        if self.protocol.state is State.OPEN:
            self.protocol.send_binary(fault_frame(reason))
        self.protocol.fail(close_code(reason), shortened(reason.message))
        self.send_data()

    def _account(self) -> None:
        if self._is_dropped:
            return
        messages = self._in_hand + sum(self._complete) + self._unfinished
        raw = len(self.protocol.reader.buffer) + self.transport.get_write_buffer_size()
        self._memory.hold(self, messages + raw)


def _too_much_held() -> ResourceExhausted:
    return ResourceExhausted(
        "torii holds as many bytes of messages as it may, and most of them for this "
        "websocket; send smaller messages and read the answers",
        reason="LIMIT_REACHED",
        metadata={"what": "bytes held"},
    )
