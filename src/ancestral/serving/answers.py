"""Answers to clients that may go away: whole, or as a stream; either way their slots are freed."""

import asyncio
import time
from collections.abc import Callable

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ancestral.serving.completions import Completion
from ancestral.serving.jobs import Job
from ancestral.serving.metrics import Metrics
from ancestral.serving.refusals import Refusal
from ancestral.serving.schemas import CompletionRequest
from ancestral.serving.served import Prompt, Served

_THREADS = 2
"""Requests that are read beside the loop at once: those with a grammar or a long prompt."""

_LONG = 4000
"""Characters of a prompt that is long."""

_SLOW = 30.0
"""Seconds that a client may be behind with its reading once its text is done."""


class Answers:
    """The completions that are under way."""

    def __init__(self, served: Served, metrics: Metrics) -> None:
        self._served, self._metrics = served, metrics
        self._live: set[Completion] = set()
        self._heavy = asyncio.Semaphore(_THREADS)

    async def answer(self, asked: CompletionRequest, request: Request) -> Response:
        """Return the answer to a request, or its beginning if it is a stream.

        Raises:
            Refusal: If it is refused or fails.
            AncestralError: If it does not fit the run, or the engine is busy.
        """
        arrived = time.perf_counter()
        jobs = await self._jobs(asked)
        found = Completion.begin(self._served, asked, jobs, metrics=self._metrics, arrived=arrived)
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

    async def _jobs(self, asked: CompletionRequest) -> list[tuple[Prompt, Job]]:
        """Return the jobs of a request; what takes long to read is read beside the loop."""
        if _light(asked):
            return self._served.jobs(asked)
        try:
            async with asyncio.timeout(self._served.limits.timeout), self._heavy:
                return await asyncio.to_thread(self._served.jobs, asked)
        except TimeoutError:
            raise Refusal(504, "the request took too long to read") from None

    def _leave(self, completion: Completion) -> None:
        completion.close()
        self._live.discard(completion)


def _light(asked: CompletionRequest) -> bool:
    texts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt
    size = sum(len(text) for text in texts if isinstance(text, str))
    return size <= _LONG and asked.regex is None and asked.json_schema is None


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
