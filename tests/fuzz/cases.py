"""One case of a fuzz run: which call, by which way in, by whom, with what; all of it from a seed.

The generator is our own. Of the libraries there are, Schemathesis wants OpenAPI or GraphQL,
Atheris steers by the coverage of a function in its own process, and the generators of
protocol buffer messages (hypothesis-protobuf, protofuzz) are years behind the language.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message

from hanami_sdk.local.contracts import PACKAGES
from tests.fuzz import damage
from tests.rpcs import Names, Rpc, every_rpc, references_of, request_for, with_reference

PORT, GATEWAY, WEB, REST, SOCKET, FRAMES = (
    "port",
    "gateway",
    "grpc-web",
    "JSON",
    "websocket",
    "HTTP/2",
)
DOORS: Mapping[str, int] = {PORT: 50, GATEWAY: 20, WEB: 8, REST: 12, SOCKET: 4, FRAMES: 6}
SERVICES = tuple(PACKAGES)
# Who speaks at the websocket in the end.
_SOCKET_SERVICES = ("torii", "kyouko")
_RPCS: Mapping[str, Sequence[Rpc]] = {
    service: [rpc for rpc in every_rpc() if rpc.service == service] for service in SERVICES
}
_LEARN = next(r for r in _RPCS["kyouko"] if r.path.endswith(".LearningService/Learn"))
# What makes most calls that follow end at the first gate is called less.
_TEARING = {"Logout", "RotateSigningKey", "DeleteProject", "DeleteNetwork", "ChangePassword"}
# So that most calls get past the first gate.
CALLERS: Mapping[str, int] = {
    "admin": 30,
    "project admin": 20,
    "member": 15,
    "viewer": 8,
    "device": 8,
    "service": 6,
    "stranger": 4,
    "nobody": 3,
    "damaged token": 4,
    "odd header": 2,
}
_MOST_MESSAGES = 6


@dataclass(frozen=True)
class Case:
    """One call of a run, with everything that is sent.

    Attributes:
        seed: Of the run.
        number: Of the case in the run.
        rpc: What is called.
        door: The way in.
        caller: Who calls; a name of `CALLERS`.
        kinds: What is done to each message; names of `tests.fuzz.damage.KINDS`.
        messages: What is sent, in this order.
        metadata: What goes along, besides the token.
        left_open: The caller neither ends its side nor waits for long.
    """

    seed: int
    number: int
    rpc: Rpc
    door: str
    caller: str
    kinds: tuple[str, ...]
    messages: tuple[bytes, ...] = field(repr=False)
    metadata: tuple[tuple[str, str | bytes], ...] = field(repr=False)
    left_open: bool

    @property
    def title(self) -> str:
        """The case in a few words, and how it is made again."""
        sent = ", ".join(self.kinds) or "nothing"
        return (
            f"{self.rpc.path} by {self.door} as {self.caller}: {sent}; "
            f'again: make fuzz T="--seed {self.seed} --only {self.number}"'
        )

    def chance(self) -> random.Random:
        """Return chance for whoever delivers the case, the same each time."""
        return random.Random(f"{self.seed}/{self.number}/delivery")


def case_of(seed: int, number: int, names: Names, services: Sequence[str] = SERVICES) -> Case:
    """Return a case of a run; the same one each time."""
    rng = random.Random(f"{seed}/{number}")
    service = services[number % len(services)]
    rpc = rng.choice(_RPCS[service])
    if rpc.method.name in _TEARING and rng.random() < 0.8:
        rpc = rng.choice(_RPCS[service])
    doors = {d: weight for d, weight in DOORS.items() if d != SOCKET or service in _SOCKET_SERVICES}
    door = rng.choices(list(doors), list(doors.values()))[0]
    if door == SOCKET:
        rpc = _LEARN
    caller = rng.choices(list(CALLERS), list(CALLERS.values()))[0]
    if rpc.rule.internal and rng.random() < 0.7:
        caller = "service"
    count = _message_count(rpc, door, rng)
    kinds = tuple(damage.some_kind(rng) for _ in range(count))
    messages = tuple(
        damage.KINDS[kind](_request(rpc, names, rng, number=place), rng)
        for place, kind in enumerate(kinds)
    )
    return Case(
        seed=seed,
        number=number,
        rpc=rpc,
        door=door,
        caller=caller,
        kinds=kinds,
        messages=messages,
        metadata=_metadata(rng),
        left_open=rpc.method.client_streaming and rng.random() < 0.3,
    )


def _message_count(rpc: Rpc, door: str, rng: random.Random) -> int:
    if door == SOCKET or (rpc.method.client_streaming and door not in (WEB, REST)):
        return rng.randrange(_MOST_MESSAGES + 1)
    # None, or two, are more than the contract allows.
    return rng.choices((0, 1, 2), (1, 40, 1))[0]


def _request(rpc: Rpc, names: Names, rng: random.Random, *, number: int) -> Message:
    """Return a request that keeps the contract, often about something that is there."""
    request = request_for(rpc, names)
    if rpc.method.client_streaming:
        request = _streamed(request, number, rng)
    references = references_of(rpc)
    if references and rng.random() < 0.1:
        reference = rng.choice(references)
        request = with_reference(request, reference, rng.choice(list(names.values())))
    return request


def _streamed(request: Message, number: int, rng: random.Random) -> Message:
    """Return what comes first on a stream, or one of the messages that follow."""
    parts = request.DESCRIPTOR.oneofs[0].fields
    if number == 0 and rng.random() < 0.8:
        return request
    changed = type(request)()
    chosen = rng.choice(parts)
    if chosen.message_type is None:
        setattr(changed, chosen.name, b"a,b,c,d,kind\n1,2,3,4,x\n")
    else:
        getattr(changed, chosen.name).SetInParent()
    return changed


def _metadata(rng: random.Random) -> tuple[tuple[str, str | bytes], ...]:
    if rng.random() < 0.85:
        return ()
    odd: Sequence[tuple[str, str | bytes]] = (
        ("traceparent", "00-" + "f" * 200),
        ("traceparent", "00-00000000000000000000000000000000-0000000000000000-00"),
        ("tracestate", "=" * 600),
        ("baggage", "a=" + "b" * 9000),
        ("x-forwarded-for", "203.0.113.7, not-an-address"),
        ("x-forwarded-for", "::ffff:1.2.3.4%" + "z" * 100),
        ("x-request-id", "../../etc/passwd"),
        ("user-agent", "x" * 4000),
        ("x-large", "y" * 30_000),
        ("x-larger", "y" * 70_000),
        ("grpc-status-details-bin", b"\x00\xff" * 20),
        ("x-blob-bin", rng.randbytes(500)),
        ("authorization", "Basic YTpi"),
        ("cookie", "token=abc"),
        ("origin", "https://evil.example"),
    )
    return (rng.choice(odd),)
