"""One request for completions: its jobs in the engine, and the answer, whole or as a stream."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ancestral.autoregressive.decoding import Choice
from ancestral.errors import DivergenceError
from ancestral.serving.choices import Piece, Text
from ancestral.serving.jobs import Event, Failed, Finished, Job, PromptScores
from ancestral.serving.metrics import Metrics
from ancestral.serving.refusals import Refusal, refusal_of
from ancestral.serving.schemas import CompletionRequest
from ancestral.serving.served import Prompt, Served
from ancestral.serving.text import Told

Message = tuple[int, Event]

# Escaped to ASCII: some clients break lines at other characters than those of the standard.
_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


@dataclass(slots=True, eq=False)
class Completion:
    """A request that was accepted, at a time by ``time.perf_counter``.

    Use :meth:`begin` to make one, and :meth:`close` to leave it: what has not ended is cancelled.
    """

    served: Served
    asked: CompletionRequest
    metrics: Metrics
    arrived: float
    texts: list[Text] = field(default_factory=list)
    _mail: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    _late: asyncio.TimerHandle | None = None
    _head: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def begin(
        cls,
        served: Served,
        asked: CompletionRequest,
        jobs: Sequence[tuple[Prompt, Job]],
        *,
        metrics: Metrics,
        arrived: float,
    ) -> "Completion":
        """Hand the jobs of a request to the engine, all or none.

        Raises AncestralError if a job does not fit the model, or the engine is busy or closed.
        """
        found = cls(served, asked, metrics, arrived)
        loop = asyncio.get_running_loop()
        try:
            for index, (prompt, job) in enumerate(jobs):
                ticket = served.engine.submit(job, _post(loop, found._mail, index))
                found.texts.append(Text(index, prompt, ticket, served.names, asked))
        except BaseException:
            found.close()
            raise
        found._head = {
            "id": f"cmpl-{uuid.uuid4().hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": served.name,
        }
        late = Refusal(504, f"the request took more than {served.limits.timeout:g} seconds")
        found._late = loop.call_later(
            served.limits.timeout, found._mail.put_nowait, (-1, Failed(late))
        )
        return found

    def stop(self, error: Exception) -> None:
        """End with an error what has not ended."""
        self._mail.put_nowait((-1, Failed(error)))

    def close(self) -> None:
        """Free what is not needed any more; may be called twice."""
        if self._late is not None:
            self._late.cancel()
        for text in self.texts:
            if not text.ended:
                text.ticket.cancel()

    async def whole(self) -> dict[str, Any]:
        """Return the answer once it is complete, or raise a Refusal."""
        texts = ["" for _ in self.texts]
        told: list[Told | None] = [Told() if text.tells else None for text in self.texts]
        reasons: list[str | None] = [None] * len(texts)
        async for pieces in self.pieces():
            for piece in pieces:
                texts[piece.index] += piece.text
                reasons[piece.index] = piece.reason
                kept = told[piece.index]
                if kept is not None and piece.told is not None:
                    kept.extend(piece.told)
        choices = [
            Piece(index, *found).to_json()
            for index, found in enumerate(zip(texts, told, reasons, strict=True))
        ]
        return {**self._head, "choices": choices, "usage": self.usage()}

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield server-sent events; one with an error in place of ``[DONE]`` if it fails."""
        usage = self.asked.stream_options is not None and self.asked.stream_options.include_usage
        extra = {"usage": None} if usage else {}
        try:
            async for pieces in self.pieces():
                chunks = [{**self._head, "choices": [one.to_json()], **extra} for one in pieces]
                if chunks:
                    yield b"".join(map(_event, chunks))
        except Refusal as error:
            yield _event(error.body)
            return
        if usage:
            yield _event({**self._head, "choices": [], "usage": self.usage()})
        yield b"data: [DONE]\n\n"

    async def pieces(self) -> AsyncIterator[list[Piece]]:
        """Yield what has become ready; what comes faster than it is taken comes together.

        Raises:
            Refusal: If the request fails.
        """
        going = len(self.texts)
        while going:
            messages = [await self._mail.get()]
            while not self._mail.empty():
                messages.append(self._mail.get_nowait())
            touched: dict[int, None] = {}
            for index, event in messages:
                if isinstance(event, Failed):
                    raise self._failure(event.error)
                text = self.texts[index]
                if not text.ended:
                    self._take(text, event)
                    going -= text.ended
                    touched[index] = None
            yield [piece for index in touched if (piece := self.texts[index].piece()) is not None]

    def usage(self) -> dict[str, int]:
        """Return the tokens that were read and written."""
        read = sum(len(text.prompt.told) for text in self.texts[:: self.asked.n or 1])
        written = sum(text.tokens for text in self.texts)
        return {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }

    def _take(self, text: Text, event: Event) -> None:
        if isinstance(event, Choice):
            if not text.tokens:
                self.metrics.first_token.observe(time.perf_counter() - self.arrived)
            text.choice(event)
        elif isinstance(event, PromptScores):
            text.scores(event)
        elif isinstance(event, Finished):
            text.end()
        if text.ended:
            self.metrics.ended(tokens=text.tokens, seconds=text.seconds)

    def _failure(self, error: Exception) -> Refusal:
        held = self.asked.regex is not None or self.asked.json_schema is not None
        if held and isinstance(error, DivergenceError) and "-inf" in str(error):
            return Refusal(400, "nothing that the grammar allows is possible under the model")
        return refusal_of(error)


def _post(
    loop: asyncio.AbstractEventLoop, mail: "asyncio.Queue[Message]", index: int
) -> Callable[[Event], None]:
    """Return a listener that the engine's thread may call."""

    def listen(event: Event) -> None:
        with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            loop.call_soon_threadsafe(mail.put_nowait, (index, event))

    return listen


def _event(content: dict[str, Any]) -> bytes:
    return f"data: {_JSON.encode(content)}\n\n".encode()
