"""Answers to clients that may go away: whole, or as a stream; either way their slots are freed."""

import asyncio
from collections.abc import Callable

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ancestral.serving.completions import Completion
from ancestral.serving.metrics import Metrics
from ancestral.serving.schemas import CompletionRequest
from ancestral.serving.served import Served

_SLOW = 30.0
"""Seconds that a client may be behind with its reading once its text is done."""


class Answers:
    """The completions that are under way.

    Args:
        served: What is asked.
        metrics: Are told of them.
    """

    def __init__(self, served: Served, metrics: Metrics) -> None:
        self._served, self._metrics = served, metrics
        self._live: set[Completion] = set()

    async def answer(self, asked: CompletionRequest, request: Request) -> Response:
        """Return the answer to a request, or its beginning if it is a stream.

        Raises:
            Refusal: If it is refused or fails.
            AncestralError: If it does not fit the run, or the engine is busy.
        """
        found = await Completion.begin(self._served, asked, self._metrics)
        self._live.add(found)
        if asked.stream:
            longest = self._served.limits.timeout + _SLOW
            return _Events(found, lambda: self._leave(found), longest)
        try:
            return await _whole(found, request)
        finally:
            self._leave(found)

    def stop(self, error: Exception) -> None:
        """End all with an error."""
        for completion in self._live:
            completion.stop(error)

    def _leave(self, completion: Completion) -> None:
        completion.close()
        self._live.discard(completion)


class _Events(StreamingResponse):
    """A stream that leaves its completion when it ends, however it ends."""

    def __init__(self, completion: Completion, leave: Callable[[], None], longest: float) -> None:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(completion.stream(), media_type="text/event-stream", headers=headers)
        self._leave, self._longest = leave, longest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            async with asyncio.timeout(self._longest):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            pass  # The client does not read: the connection is closed.
        finally:
            self._leave()


async def _whole(completion: Completion, request: Request) -> Response:
    """Return the answer, or nothing to a client that has gone away."""
    work = asyncio.create_task(completion.whole())
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        return JSONResponse(work.result()) if work.done() else Response(status_code=499)
    finally:
        work.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
