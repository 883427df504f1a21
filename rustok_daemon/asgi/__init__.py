"""An ASGI server on trio: HTTP/1.1 over httptools, WebSockets over trio-websocket, on TCP and unix sockets.

``serve`` runs an ASGI 3 application (spec 2.4 or newer) on listening sockets that are lent to it. What the room promises:

- A request is refused or answered, never left hanging: every read and write has a deadline.
- What goes in strictly goes out strictly: a head is checked whole before anything of it is believed, and an
  application cannot make the server send a response that a client could misread.
- The application is called in the connection's own task. Context variables it sets live as long as the connection.
- Back-pressure is real in both directions: nothing is read that nobody asked for but the bytes of one read.

Not there: the ``lifespan`` protocol (the tree starts and stops actors), TLS, HTTP/2 (a proxy's work).
"""

from .errors import ClientDisconnected
from .limits import Limits
from .protocol import Application, AtOnce, BodyLimit, Message, Receive, Scope, Send
from .response import Fields, WholeResponse
from .server import Server, serve
from .stats import Stats

__all__ = [
    "Application",
    "AtOnce",
    "BodyLimit",
    "ClientDisconnected",
    "Fields",
    "Limits",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "Server",
    "Stats",
    "WholeResponse",
    "serve",
]
