"""The run at whose weights another one begins, and what it decides."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from ancestral import settings
from ancestral.data.dataset import Dataset, Loading
from ancestral.data.text import Tokenizer
from ancestral.errors import ConfigError, RunError
from ancestral.recipes.recipe import Config, Recipe
from ancestral.recipes.runs import Run
from ancestral.training.parts import fingerprint
from ancestral.training.tuning import Tuning

_OF_TOKENS = ("tokenizer", "pieces", "window")
"""Settings of text that the weights are made for; the others may differ."""

_FREE = ("dropout", "attention_dropout")
"""Settings of models that no weight depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A run that is opened to begin at its weights.

    Args:
        run: The run.
        tuning: What is done from there, with the fingerprint.
        tokenizer: Of the run.
        weights: Of its model.
    """

    run: Run
    tuning: Tuning
    tokenizer: Tokenizer
    weights: Mapping[str, Tensor]

    @classmethod
    def open(cls, tuning: Tuning, recipe: Recipe) -> Self:
        """Open the run of a tuning.

        Raises:
            ConfigError: If it is not a run, or of another model, or cannot be read.
        """
        folder = Path(tuning.start)
        try:
            run = Run.open(folder)
            if run.record.model != recipe.name:
                raise RunError(
                    f"{folder} is a run of {run.record.model}, a run of {recipe.name} is needed"
                )
            tokenizer, weights = run.tokenizer(), run.model().network.state_dict()
            digest = fingerprint(folder)
        except (RunError, OSError) as error:
            said = error.line if isinstance(error, RunError) else str(error)
            raise ConfigError(f"start: {said}") from None
        tuning = replace(tuning, start=os.path.abspath(folder), fingerprint=digest)
        return cls(run=run, tuning=tuning, tokenizer=tokenizer, weights=weights)

    def config(self, given: Mapping[str, Any]) -> Config:
        """Return the run's config with what the user may change.

        Raises:
            ConfigError: If a setting contradicts the weights.
        """
        kept = self.run.record.config
        wanted = settings.build(type(kept), given, base=kept)
        self._same(kept, wanted, [name for name in given if name not in _FREE])
        return wanted

    def loading(self, wanted: Loading, given: Collection[str]) -> Loading:
        """Return how new text is loaded for this model.

        Args:
            wanted: By the user's settings.
            given: The names of those settings.

        Raises:
            ConfigError: If a setting contradicts the weights.
        """
        kept, text = self.run.record.data.loading.text, wanted.text
        self._same(kept, text, [name for name in _OF_TOKENS if name in given])
        batching = text.batching if "batching" in given else kept.batching
        own = replace(kept, batching=batching, documents=text.documents, column=text.column)
        return replace(wanted, text=own)

    def check(self, data: Dataset) -> None:
        """Refuse text whose tokens are not those of the model.

        Raises:
            ConfigError: If tokenizer or window differ.
        """
        mine, shape = self.run.record.data, tuple(data.event_shape)
        if data.corpus is None or data.corpus.tokenizer != self.tokenizer:
            raise ConfigError(
                f"start: {data.name} must be in tokens of the tokenizer of {self.run.folder}"
            )
        if shape != mine.event_shape:
            raise ConfigError(
                f"start: {data.name} must be in windows of {mine.event_shape[0] - 1} tokens as "
                f"{self.run.folder}, got {shape[0] - 1}"
            )

    def _same(self, kept: object, wanted: object, names: Collection[str]) -> None:
        for name in names:
            own, other = getattr(kept, name), getattr(wanted, name)
            if own != other:
                raise ConfigError(
                    f"{name} must be {own}, as in {self.run.folder}, or left out with start, "
                    f"got {other}"
                )
