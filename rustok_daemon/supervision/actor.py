"""What a child is: an object with one ``run``, and the context through which it meets the rest of the tree."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar, get_type_hints, overload

import msgspec

from rustok_daemon.declarations import Health

from .specs import Kind

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from structlog.typing import FilteringBoundLogger

    from rustok_daemon.config import Configuration
    from rustok_daemon.declarations import Command, HealthCheck, Migration, Route, Seed

ReplyT = TypeVar("ReplyT")
ViewT = TypeVar("ViewT")
ViewT_co = TypeVar("ViewT_co", covariant=True)
SettingsT = TypeVar("SettingsT", bound=msgspec.Struct)


class Message(msgspec.Struct, frozen=True):
    """What is sent with ``tell``: no reply."""


class Request(msgspec.Struct, Generic[ReplyT], frozen=True):
    """What is sent with ``ask``: ``class Lookup(Request[Tenant])`` is answered with a ``Tenant``."""


class ActorRef(Protocol):
    """The address of an actor: stays good over restarts, and may be the address of one that is gone."""

    @property
    def id(self) -> str: ...

    def tell_nowait(self, message: Message) -> None:
        """Puts a message into the mailbox. Raises ``MailboxFull`` (overflow wait or reject), ``ActorUnavailable``, ``Fenced``."""

    async def tell(self, message: Message) -> None:
        """As ``tell_nowait``, but waits for room where overflow is ``wait``. No checkpoint while there is room."""

    async def ask(self, request: Request[ReplyT], *, within: float) -> ReplyT:
        """Sends, waiting for room where overflow is ``wait``, and waits at most ``within`` seconds in all: a finite number.

        Raises ``AskTimeout``, ``ActorUnavailable`` (at once when the actor is stopped, stopping or dies before it
        answers), ``MailboxFull``, ``Fenced``, or what the handler raised as its answer (``ReplyError``). A reply that
        comes too late is dropped and counted; a request whose asker gave up is not begun.
        """


class ViewRef(Protocol[ViewT_co]):
    """Where another actor's published view is found; follows it over restarts."""

    @property
    def current(self) -> ViewT_co | None:
        """The view, or ``None`` while nobody publishes one or the holder of this reference is fenced."""

    def get(self) -> ViewT_co:
        """The view. Raises ``ActorUnavailable`` naming the view, or ``Fenced``."""


class Fence(Protocol):
    """Raised around an incarnation that was abandoned: nothing it still holds may have an effect."""

    @property
    def raised(self) -> bool: ...

    def check(self) -> None:
        """Raises ``Fenced`` once the fence is raised."""


class Context(Protocol):
    """One incarnation's way to the rest of the tree. It ends with the incarnation."""

    @property
    def id(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def fence(self) -> Fence: ...

    @property
    def log(self) -> FilteringBoundLogger: ...

    @property
    def metrics(self) -> Any:
        """What the actor's ``make_metrics`` made: once a child, kept over restarts."""

    def ready(self) -> None:
        """Says that the child has started: the next one may. Must be called once."""

    def degraded(self, reason: str) -> None:
        """Says that the child runs but cannot do all of its work; shown in tree, status and readiness."""

    def recovered(self) -> None:
        """Takes ``degraded`` back."""

    def actor(self, id: str) -> ActorRef: ...

    def view(self, kind: type[ViewT]) -> ViewRef[ViewT]: ...

    def publish(self, kind: type[ViewT], view: ViewT) -> None:
        """Lends a view under its type. It is withdrawn when the incarnation ends or is fenced.

        A view with a method ``held_by(fence)`` is asked for a copy bound to each holder's fence.
        """


class Runnable(Protocol):
    """What a ``ChildSpec.start`` makes."""

    async def run(self, context: Context) -> None:
        """Lives until it is cancelled.

        Returning is a normal end; raising is a failure; ``Ignore`` raised before ``ready`` is OTP's ignore.
        """


HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])


class CheckHealth(Request[Health], frozen=True):
    """Asked of every actor by the engine; answered by ``Actor.health``."""


class Reconfigure(Request[bool], frozen=True):
    """Asked of an actor by a reload; answered by ``Actor.reconfigure``."""

    settings: Any


@overload
def receive(handler: HandlerT) -> HandlerT: ...


@overload
def receive(*, concurrent: int) -> Callable[[HandlerT], HandlerT]: ...


def receive(handler: HandlerT | None = None, *, concurrent: int = 0) -> HandlerT | Callable[[HandlerT], HandlerT]:
    """Marks a method as the handler of the message type its parameter is annotated with.

    ``concurrent``: up to so many run at once, in the actor's own nursery, beside the mailbox; otherwise one message is
    handled after the other. Handlers may be sync or async.
    """

    def mark(function: HandlerT) -> HandlerT:
        function.__receives__ = concurrent  # type: ignore[attr-defined]
        return function

    return mark if handler is None else mark(handler)


class Handler(msgspec.Struct, frozen=True):
    """One ``@receive`` method: its name, and how many of it may run at once (0: in turn)."""

    name: str
    concurrent: int


def handlers_of(actor: type[Actor[Any]]) -> Mapping[type[Any], Handler]:
    """Which message type is handled by which method. Raises ``TypeError`` for a handler without an annotation."""
    if actor not in _handlers:
        _handlers[actor] = _find_handlers(actor)
    return _handlers[actor]


_handlers: dict[type[Any], Mapping[type[Any], Handler]] = {}
"""Found once a class: a restart should not cost reflection."""


def _find_handlers(actor: type[Actor[Any]]) -> Mapping[type[Any], Handler]:
    found: dict[type[Any], Handler] = {}
    for name, function in inspect.getmembers(actor, lambda member: hasattr(member, "__receives__")):
        hints = get_type_hints(function)
        hints.pop("return", None)
        if len(hints) != 1:
            raise TypeError(f"{actor.__name__}.{name}: annotate its one parameter with the message type it takes")
        found[next(iter(hints.values()))] = Handler(name, function.__receives__)
    return found


class Actor(Generic[SettingsT]):
    """The base of every actor: a mailbox whose messages are handled one after the other, and declarations.

    Subclass it, declare, and write handlers::

        class Greeter(Actor[GreeterSettings]):
            section = "greeter"
            Settings = GreeterSettings
            routes = (Route(method="GET", path="/v1/greet", handler=greet, summary="Says hello", scope=None),)

            @receive
            async def on_greet(self, message: Greet) -> str: ...

    Order of a life: ``setup``, then ``context.ready()``, then the mailbox beside ``background``, then ``teardown``
    (shielded, but cut off when the shutdown budget is used up). An exception that leaves any of them ends the incarnation,
    and the supervisor's rules apply. What a handler raises as its answer (``ReplyError`` and below) goes to the asker
    alone.
    """

    section: ClassVar[str | None] = None
    Settings: ClassVar[type[Any]]
    routes: ClassVar[Sequence[Route]] = ()
    commands: ClassVar[Sequence[Command]] = ()
    migrations: ClassVar[Sequence[Migration]] = ()
    seeds: ClassVar[Sequence[Seed]] = ()
    health_checks: ClassVar[Sequence[HealthCheck]] = ()
    kind: ClassVar[Kind] = Kind.ACTOR
    ready_when_set_up: ClassVar[bool] = True
    """``False``: ``background`` calls ``context.ready()`` itself, once it does what the next child stands on."""

    context: Context
    settings: SettingsT

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings

    @classmethod
    def enabled(cls, configuration: Configuration) -> bool:
        """Whether the configuration wants this child in the tree at all."""
        return True

    @classmethod
    def from_configuration(cls, configuration: Configuration) -> Self:
        """Makes an incarnation. Override to read other sections than one's own."""
        return cls(configuration.section(cls.Settings))

    @classmethod
    def make_metrics(cls, registry: CollectorRegistry) -> Any:
        """Registers the actor's metrics once for the life of the process; the result is ``context.metrics``."""
        return None

    async def setup(self) -> None:
        """Runs before the actor counts as started. A dependency that cannot be reached is no reason to fail: say ``degraded``."""

    async def background(self) -> None:
        """Runs beside the mailbox; returning is fine, raising ends the incarnation."""

    async def teardown(self) -> None:
        """Runs at the end of the incarnation, shielded; cancelled when its ``shutdown``, or the whole stop, is over."""

    def reconfigure(self, settings: SettingsT) -> bool:
        """Takes new settings over while running and says ``True``, or ``False``: then the child is restarted."""
        return False

    def health(self) -> Health:
        """The actor's own word; asked through the mailbox, so that a stuck actor is seen as stuck."""
        return Health()

    @classmethod
    def message_types(cls) -> tuple[type[Any], ...]:
        """What can be told or asked."""
        return tuple(handlers_of(cls))

    async def run(self, context: Context) -> None:
        """One incarnation; see the order of a life above."""
        from .mailbox_loop import serve

        self.context = context
        await serve(self)

    @receive
    def _on_check_health(self, message: CheckHealth) -> Health:
        return self.health()

    @receive
    def _on_reconfigure(self, message: Reconfigure) -> bool:
        taken = self.reconfigure(message.settings)
        if taken:
            self.settings = message.settings
        return taken
