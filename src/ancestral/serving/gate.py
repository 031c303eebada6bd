"""What stands before every route: who may come in, how much one may bring, who is inside."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ancestral.serving.limits import Limits
from ancestral.serving.metrics import Metrics
from ancestral.serving.refusals import Refusal

OPEN = ("/health", "/openapi.json")
"""Paths that need no key."""

PATIENCE = 30.0
"""Seconds in which a body must have arrived."""


class Gate:
    """ASGI middleware: the key, the size of the body, closing time, and the count of requests.

    Once ``closing``, nobody is let in any more; ``inside`` are the requests that have not ended,
    and ``paths`` those that are counted by their names.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: Limits,
        metrics: Metrics,
        key: str | None,
        paths: frozenset[str],
    ) -> None:
        self.closing, self.inside = False, 0
        self._app, self._limits, self._metrics = app, limits, metrics
        self._key, self._paths = key, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        statuses: list[int] = []

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        self.inside += 1
        try:
            await self._enter(scope, receive, note)
        finally:
            self.inside -= 1
            path = scope["path"] if scope["path"] in self._paths else "other"
            # 499: the client went away before there was an answer.
            self._metrics.answered(path, statuses[0] if statuses else 499)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check(scope)
            body = await self._body(scope, receive)
        except Refusal as error:
            await error.response()(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _once(body, receive), send)

    def _check(self, scope: Scope) -> None:
        if self.closing:
            raise Refusal(503, "the server is closing")
        if self._key is None or scope["path"] in OPEN:
            return
        given = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, key = given.partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(key, self._key.encode()):
            raise Refusal(401, "the request needs the API key: Authorization: Bearer KEY")

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the body, or None if the client went away."""
        most = self._limits.max_body
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if told.isdigit() and int(told) > most:
            raise Refusal(413, f"the body must be at most {most} bytes, got {int(told)}")
        parts, size, more = [], 0, True
        try:
            async with asyncio.timeout(PATIENCE):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message.get("body", b""))
                    size, more = size + len(parts[-1]), message.get("more_body", False)
                    if size > most:
                        raise Refusal(413, f"the body must be at most {most} bytes")
        except TimeoutError:
            raise Refusal(408, f"the body must arrive in {PATIENCE:g} seconds") from None
        return b"".join(parts)


def _once(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """Return a ``receive`` that tells a body, and then what comes after it."""
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
