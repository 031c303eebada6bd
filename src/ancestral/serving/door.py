"""The server itself: one socket, one loop, and an end that breaks off nothing."""

import ipaddress
import socket
import time
from collections.abc import Callable
from types import FrameType

import uvicorn

from ancestral.errors import ConfigError
from ancestral.serving.app import Application
from ancestral.serving.jobs import ClosedError
from ancestral.serving.served import Served

_LAST = 2
"""Seconds in which a connection must take the error that ends it."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound, to a free port if it is 0, and does not listen yet.

    Raises ConfigError if the port is taken or the host is none of this machine's.
    """
    if not 0 <= port < 2**16:
        raise ConfigError(f"port must be 0 to 65535, got {port}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"host must be a name or an address of this machine, got {host!r}: {error}"
        ) from None
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        found.close()
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{host}:{port} cannot be used: {reason}") from None
    return found


def address(found: socket.socket) -> str:
    """Return the address of a socket as clients write it."""
    host, port = found.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(found: socket.socket) -> bool:
    """Tell whether only this machine can reach a socket."""
    return ipaddress.ip_address(found.getsockname()[0]).is_loopback


class Door(uvicorn.Server):
    """Serves until it is asked to end, by SIGTERM or Ctrl-C.

    The first ``signal`` closes the gate: who comes then is refused, what has begun is finished, for
    as long as the limits' ``grace``. The second ends that time. The engine is closed at the end;
    ``ready`` is called once clients can come.
    """

    def __init__(
        self, application: Application, served: Served, *, ready: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                application.gate,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=_LAST,
            )
        )
        self.signal = 0
        self._application, self._served, self._ready = application, served, ready
        self._until = 0.0

    def serve_on(self, found: socket.socket) -> None:
        """Serve on a socket, to the end."""
        try:
            self.run([found])
        finally:
            self._served.engine.close(timeout=0)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        del frame
        now = time.monotonic()
        self._until = now if self.signal else now + self._served.limits.grace
        self.signal = self.signal or sig
        self._application.gate.closing = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Tell, ten times a second, whether it is time to end."""
        if self.signal and not self.should_exit:
            late = time.monotonic() > self._until
            if late:
                self._application.answers.stop(ClosedError("the server is closing"))
            self.should_exit = late or not self._application.gate.inside
        return await super().on_tick(counter)
