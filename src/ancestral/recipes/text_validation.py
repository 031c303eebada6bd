"""The figure that chooses a language model's weights: code length of validation documents."""

import math

import torch

from ancestral.data.dataset import Dataset
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.measures.estimate import ratio_of
from ancestral.networks.units import InDataUnits

Choice = str

_TOKENS = 65_536
"""Tokens of the validation split that are scored."""

_ROWS = 4_096
"""Tokens in one call of the model."""


class TextJudge:
    """Measures bits per character, perplexity and loss of windows of the validation split.

    The loss, nats a token, is there to be held against the training's: where the one rises while
    the other falls, the model has begun to memorise.

    Args:
        units: The model that is being trained.
        data: Text.
        device: Where the model is.

    Attributes:
        figure: The last bits per character.
        tolerance: 0: every improvement counts.

    Raises:
        ValueError: If the data are not text.
    """

    choice: Choice = "bits_per_char"
    tolerance = 0.0

    def __init__(self, units: InDataUnits, data: Dataset, *, device: str = "cpu") -> None:
        if data.corpus is None:
            raise ValueError(f"{data.name} holds no text")
        self.units, self.device = units, device
        self.figure: Figure | None = None
        documents, windows = data.corpus.validation, data.validation.x
        self._special = data.corpus.tokenizer.special
        # Of the whole split, each document with its end: what a token is worth in characters.
        tokens = len(documents.tokens) - len(documents)
        self._characters_per_token = int(documents.characters.sum()) / tokens
        self._windows = windows[: max(2, _TOKENS // windows.shape[1])]

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        """Measure; return the figures by name."""
        size = max(1, _ROWS // self._windows.shape[1])
        parts = self._windows.split(size)
        nats = -torch.cat([self.units.log_prob(x.to(self.device)).double().cpu() for x in parts])
        counts = self._special.predicted(self._windows[:, 1:]).sum(dim=1)
        found = ratio_of(nats, counts)
        if not math.isfinite(found.value):
            return dict.fromkeys(("bits_per_char", "perplexity", "loss"), math.nan)
        unit = math.log(2) * self._characters_per_token
        value = found.value / unit
        se = found.se / unit if len(counts) > 1 else None  # Of one window there is no error.
        self.figure = Figure(value, se, "bits", "exact")
        return {
            "bits_per_char": value,
            "perplexity": math.exp(min(found.value, 700.0)),
            "loss": found.value,
        }
