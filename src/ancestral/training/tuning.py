"""How a training goes on from another run: all of its weights, or adapters beside them."""

from dataclasses import dataclass, field, replace

import torch
from torch import nn

from ancestral.errors import ConfigError
from ancestral.nn.low_rank import add_adapters
from ancestral.settings import require
from ancestral.training.options import Options, by_adamw
from ancestral.training.order import global_randomness, seed_of

_ALL_WEIGHTS, _ADAPTERS = 1 / 3, 10 / 3
"""Rates, in those of a training from scratch: weights that are good already take smaller steps, and
adapters ten times as large ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Fine-tuning: begin at the weights of another run.

    Args:
        start: Folder of the run; tokenizer, window and architecture are its own.
        lora: Rank of low-rank adapters, at least 1, which alone are trained; None trains all
            weights.
        lora_alpha: Strength of the adapters, above 0; None: as the rank.
        fingerprint: SHA-256 of the weights that ``start`` had, hexadecimal; it cannot be set.

    Example:
        >>> Tuning(start="runs/base", lora=8).strength
        8.0
    """

    start: str
    lora: int | None = field(default=None, metadata={"none": "off"})
    lora_alpha: float | None = field(default=None, metadata={"none": "as lora"})
    fingerprint: str = ""

    def __post_init__(self) -> None:
        require(self, "lora", self.lora is None or self.lora >= 1, "at least 1")
        require(self, "lora_alpha", self.lora_alpha is None or self.lora_alpha > 0, "above 0")
        if self.lora_alpha is not None and self.lora is None:
            raise ConfigError("lora_alpha needs lora=RANK, whose strength it is")

    @property
    def strength(self) -> float:
        """What the product of the adapters is multiplied by, times the rank."""
        return float(self.lora or 1) if self.lora_alpha is None else self.lora_alpha

    @property
    def words(self) -> str:
        """Where it begins and what learns, for people."""
        learns = "all weights learn" if self.lora is None else f"adapters of rank {self.lora} learn"
        return f"the weights of {self.start}, {learns}"

    def options(self, usual: Options) -> Options:
        """Return the options of a training from scratch as they fit this one.

        Source: the best rates of adapters are ten times those of all weights, Schulman et al. 2025,
        LoRA without regret; so it was with ours.
        """
        share = _ALL_WEIGHTS if self.lora is None else _ADAPTERS
        usual = by_adamw(usual)
        return replace(usual, learning_rate=usual.learning_rate * share)

    def adapt(self, model: nn.Module, within: nn.Module, seed: int) -> None:
        """Put adapters into a part of a model, in their first state; nothing without ``lora``.

        Raises:
            ConfigError: If a layer is smaller than the rank.
        """
        if self.lora is None:
            return
        with global_randomness(torch.device("cpu")) as shared:
            shared.manual_seed(seed_of(seed, "adapters"))
            try:
                add_adapters(model, rank=self.lora, alpha=self.strength, within=within)
            except ValueError as error:
                raise ConfigError(f"lora: {error}") from None
