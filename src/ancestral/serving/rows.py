"""A job that was accepted, from the door to its last event."""

import logging
from collections.abc import Sequence
from typing import Self

from torch import Generator

from ancestral.autoregressive.decoding.continuation import Continuation
from ancestral.autoregressive.decoding.reader import check_prompts
from ancestral.capabilities import LanguageModel
from ancestral.errors import DataError
from ancestral.serving.jobs import Event, Job, Listener, Ticket
from ancestral.serving.prefill import Prefill

_log = logging.getLogger(__name__)


class Row:
    """A job that was accepted; its events go to a listener until nobody wants them any more.

    Its ``text`` says how it goes on, None if it is only scored; ``admitted`` that it has a slot;
    ``prefill`` is its prompt on the way into the model, and ``held`` counts what its state holds.
    """

    def __init__(self, job: Job, text: Continuation | None, listen: Listener) -> None:
        self.job, self.text, self._listen = job, text, listen
        self.ticket = Ticket()
        self.admitted = False
        self.prefill: Prefill | None = None
        self.held = 0

    @classmethod
    def of(cls, job: Job, listen: Listener, model: LanguageModel, *, room: int) -> Self:
        """Accept a job that a model can do with room for so many tokens.

        Raises DataError if the prompt is empty, too long, or has an unknown token; ConfigError if a
        setting does not fit the model.
        """
        prompt = job.prompt
        if job.max_tokens:
            parts, steps = [prompt], job.max_tokens - 1
        else:  # The last token is scored and not read.
            parts, steps = [part for part in (prompt[:-1], prompt[-1:]) if len(part)], 0
        check_prompts(model, parts or [prompt])
        held = len(parts[0]) + (0 if model.window else steps)
        if held > room:
            raise DataError(
                f"prompt and max_tokens need room for {held} tokens; there is room for {room}"
            )
        if not job.max_tokens:
            return cls(job, None, listen)
        text = Continuation(
            prompt,
            job.decoding,
            vocabulary=model.vocabulary,
            max_tokens=job.max_tokens,
            generator=Generator().manual_seed(job.seed),
            stop=job.stop,
            constraint=job.constraint,
        )
        return cls(job, text, listen)

    @property
    def gone(self) -> bool:
        """Whether nobody wants it any more."""
        return self.ticket.cancelled

    @property
    def last(self) -> int:
        """Its last token."""
        return self.text.history.tokens[-1] if self.text is not None else self.job.prompt[-1]

    def begin(self, model: LanguageModel, tokens: Sequence[int], *, scores: bool) -> None:
        """Let its tokens be read anew."""
        self.prefill = Prefill(
            model,
            tokens,
            goes_on=self.text is not None,
            scores=scores,
            alternatives=self.job.decoding.alternatives,
        )

    def tell(self, event: Event) -> None:
        """Tell an event, unless nobody wants it any more; a listener that fails wants no more."""
        if self.gone:
            return
        try:
            self._listen(event)
        except Exception:
            _log.exception("a listener failed, and its job ends")
            self.ticket.cancel()
