"""Puts layers around gRPC handlers of all four kinds.

To gRPC all of them take streams: so the one message of a unary call is read here, and what
does not come, or is no message, is an error like any other (see `decoding`).
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from google.protobuf.message import Message

from mesh import calls
from mesh.calls import CallNote
from mesh.errors import InvalidArgument
from mesh.interceptors import decoding
from mesh.interceptors.expiry import Expiry

# The classes are generic in their type stubs only, not at run time.
if TYPE_CHECKING:
    Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
    Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
else:
    Context = grpc.aio.ServicerContext
    Handler = grpc.RpcMethodHandler


@dataclass(frozen=True)
class Call:
    """One call being served.

    `request` is None when the client streams, or has sent none that can be read.
    """

    method: str
    context: Context
    request: Message | None
    streaming: bool
    note: CallNote = field(default_factory=CallNote)

    def __post_init__(self) -> None:
        self.note.method, self.note.request = self.method, self.request

    def metadata(self) -> dict[str, str]:
        """Return the textual metadata that came with the call."""
        items = self.context.invocation_metadata() or ()
        return {key: value for key, value in items if isinstance(value, str)}


Layer = Callable[[Call], AbstractAsyncContextManager[None]]
UnaryWrapper = Callable[
    [Call, Callable[[], Awaitable[Any]], Callable[[bytes], Any]], Awaitable[Any]
]


class LayeredInterceptor(grpc.aio.ServerInterceptor):
    """Runs every handler inside the layers, the first one outermost."""

    def __init__(self, layers: Sequence[Layer], *, unary: UnaryWrapper | None = None) -> None:
        self._layers = layers
        self._unary = unary

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the handler of a method with the layers around it."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        method = str(handler_call_details.method)
        return self._wrapped(handler, method)

    def _wrapped(self, handler: Any, method: str) -> Handler:
        kind = ("stream" if handler.request_streaming else "unary") + (
            "_stream" if handler.response_streaming else "_unary"
        )
        behaviour = getattr(handler, kind)
        if kind == "unary_unary":
            wrapped: Any = self._around_unary(behaviour, method)
        elif inspect.isasyncgenfunction(behaviour):
            wrapped = self._around_generator(behaviour, method, handler.request_streaming)
        else:
            wrapped = self._around_coroutine(behaviour, method, handler.request_streaming)
        answers = "stream" if handler.response_streaming else "unary"
        make: Any = getattr(grpc, f"stream_{answers}_rpc_method_handler")
        result: Handler = make(
            wrapped,
            request_deserializer=decoding.decoder(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )
        return result

    def _around_unary(self, behaviour: Any, method: str) -> Any:
        async def serve(_: Any, context: Context) -> Any:
            request = await decoding.single_message(context)
            call = Call(method, context, _readable(request), streaming=False)
            async with self._entered(call):
                if isinstance(request, InvalidArgument):
                    raise request
                if self._unary is None:
                    answer = await behaviour(request, context)
                else:
                    answer = await self._unary(
                        call, lambda: behaviour(request, context), _answer_parser(method)
                    )
                call.note.answer = answer
                return answer

        return serve

    def _around_generator(self, behaviour: Any, method: str, request_streaming: bool) -> Any:
        async def serve(requests: Any, context: Context) -> AsyncIterator[Any]:
            request = requests if request_streaming else await decoding.single_message(context)
            call = Call(method, context, _readable(request), streaming=True)
            async with self._entered(call):
                if isinstance(request, InvalidArgument):
                    raise request
                async with aclosing(behaviour(request, context)) as responses:
                    async for response in Expiry().bounded(responses):
                        yield response

        return serve

    def _around_coroutine(self, behaviour: Any, method: str, request_streaming: bool) -> Any:
        async def serve(requests: Any, context: Context) -> Any:
            request = requests if request_streaming else await decoding.single_message(context)
            call = Call(method, context, _readable(request), streaming=True)
            async with self._entered(call), Expiry().bounds():
                if isinstance(request, InvalidArgument):
                    raise request
                call.note.answer = await behaviour(request, context)
                return call.note.answer

        return serve

    @asynccontextmanager
    async def _entered(self, call: Call) -> AsyncIterator[None]:
        calls.set_note(call.note)
        async with AsyncExitStack() as stack:
            for layer in self._layers:
                await stack.enter_async_context(layer(call))
            yield


def _readable(request: Any) -> Message | None:
    return request if isinstance(request, Message) else None


def _answer_parser(method: str) -> Callable[[bytes], Any]:
    from google.protobuf import descriptor_pool, message_factory

    service, _, name = method.strip("/").rpartition("/")

    def parse(data: bytes) -> Any:
        descriptor = descriptor_pool.Default().FindServiceByName(service).FindMethodByName(name)
        return message_factory.GetMessageClass(descriptor.output_type).FromString(data)

    return parse
