"""A prompt on its way into a model: read piece by piece, so that others need not wait for it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ancestral.autoregressive.decoding.continuation import log_probabilities, most_probable
from ancestral.autoregressive.decoding.reader import on_cpu
from ancestral.capabilities import LanguageModel
from ancestral.serving.jobs import PromptScores

CHUNK = 64
"""Tokens of a piece. It is fixed: other pieces give other last bits."""


class Prefill:
    """One row of tokens, at least one, that a model reads into a state of its own.

    Where it does not go on, the last token is scored and never read. With ``scores``, the
    log-probabilities of the tokens after the first are told, and as many ``alternatives``.
    """

    def __init__(
        self,
        model: LanguageModel,
        tokens: Sequence[int],
        *,
        goes_on: bool = True,
        scores: bool = False,
        alternatives: int = 0,
    ) -> None:
        self._model, self._tokens, self._scores = model, list(tokens), scores
        self._alternatives = alternatives
        self._end = len(tokens) if goes_on else len(tokens) - 1
        self._read = 0
        self._told = PromptScores([], [])
        self._last = torch.empty(0)
        self.state = model.start(1, length=max(self._end, 1))

    @property
    def done(self) -> bool:
        """Whether all was read."""
        return self._read == self._end

    @property
    def scores(self) -> PromptScores | None:
        """What the model thinks of the tokens, as far as they were read, if it was asked for."""
        return self._told if self._scores else None

    def read(self) -> int:
        """Read the next piece; return its length."""
        piece = self._tokens[self._read : min(self._read + CHUNK, self._end)]
        if not piece:
            return 0
        features = self._model.advance(torch.tensor([piece]), self.state)[0]
        self._last = features[-1:]
        if self._scores:
            self._score(features, self._tokens[self._read + 1 : self._read + 1 + len(piece)])
        self._read += len(piece)
        return len(piece)

    def logits(self) -> Tensor:
        """Return the logits of the token after the last that was read, [V], on the CPU.

        The head is given this row alone, so that they do not depend on whether scores were told.
        """
        return on_cpu(self._model.head(self._last))[0]

    def _score(self, features: Tensor, targets: Sequence[int]) -> None:
        if not targets:
            return
        for line, target in zip(
            on_cpu(self._model.head(features[: len(targets)])), targets, strict=True
        ):
            self._told.log_probs.extend(log_probabilities(line.numpy(), [target]))
            self._told.alternatives.append(most_probable(line, self._alternatives))
