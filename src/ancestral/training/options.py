"""How a game is trained: every setting that is not the model's and not the data's."""

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from ancestral.errors import ConfigError

Rule: TypeAlias = Literal["adamw", "adam", "sgd", "muon"]
"""How parameters are moved by their gradients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Settings of the training loop, checked when they are made.

    Args:
        batch_size: Examples of one micro-batch; a smaller training split is one batch.
        learning_rate: Peak rate, for players that do not bring their own.
        weight_decay: Decoupled decay, of matrices and kernels only (two dimensions or more).
        hidden_weight_decay: Of the matrices that ``muon`` moves, in place of ``weight_decay``.
        betas: Decay rates of Adam's two moments; the first is the momentum of ``sgd``.
        optimizer: The update rule. ``muon`` moves a model's hidden matrices by Muon and the rest by
            AdamW, at the same rate; only models that tell which those are can be trained by it.
        schedule: ``cosine`` falls from the peak to zero over the budget; ``constant`` does not.
        warmup: Steps of linear rise from zero to the peak.
        max_grad_norm: Gradients are scaled down to this global norm, player by player; 0 is off.
        ema_decay: Decay per step of the averaged weights; 0 keeps no average.
        precision: ``auto`` runs the forward pass in bf16 where the machine is faster so and the
            step is made of ``large_products``: there a step was measured to be 1.8 times as fast.
            A small MLP gains a tenth and would pay with digits of its likelihood, so it stays in
            float32. ``bf16`` without the instructions is refused.
        accumulate: Micro-batches of one update, over all processes; see :meth:`shared_by`.
        validate_every: Steps between validations; the last step is always validated. Short
            trainings have ten of them, unless this is set.
        patience: Validations without improvement before training stops early; 0 is off.
        channels_last: Convolutions keep their channels innermost: 1.6 times as fast.
        large_products: Convolutions or products of large matrices are most of a step: its precision
            may be lowered, and float32 is multiplied by the faster library.
        shard: Several processes hold a part each of the weights, gradients and moments
            (``fully_shard``), and of the checkpoint, instead of a copy each.

    Raises:
        ConfigError: If a value is out of its range.

    Example:
        >>> Options(batch_size=256).optimizer
        'adamw'
    """

    batch_size: int = 1000
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    hidden_weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    optimizer: Rule = "adamw"
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup: int = 0
    max_grad_norm: float = 0.0
    ema_decay: float = 0.0
    precision: Literal["auto", "float32", "bf16"] = "auto"
    accumulate: int = 1
    validate_every: int = 500
    patience: int = 0
    channels_last: bool = False
    large_products: bool = False
    shard: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_size", "accumulate", "validate_every"):
            _require(name, getattr(self, name), "be at least 1", getattr(self, name) >= 1)
        for name in ("weight_decay", "hidden_weight_decay", "warmup", "max_grad_norm", "patience"):
            value = getattr(self, name)
            _require(name, value, "be finite and at least 0", 0 <= value < math.inf)
        rate = self.learning_rate
        _require("learning_rate", rate, "be finite and above 0", 0 < rate < math.inf)
        _require("ema_decay", self.ema_decay, "lie in [0, 1)", 0 <= self.ema_decay < 1)
        in_range = len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas)
        _require("betas", self.betas, "be two numbers in [0, 1)", in_range)
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            _require(name, value, f"be one of {', '.join(allowed)}", value in allowed)

    def validated(self, steps: int | None) -> "Options":
        """Return the options under which a training of so many steps is validated ten times.

        Example:
            >>> Options(validate_every=500).validated(34).validate_every
            3
        """
        if steps is None:
            return self
        return replace(self, validate_every=min(self.validate_every, max(1, steps // VALIDATIONS)))

    def shared_by(self, processes: int) -> "Options":
        """Return the options under which so many processes can share the same whole batch.

        Each takes as many of the ``accumulate`` micro-batches as the others; where they are too
        few, they become more and smaller.

        Raises:
            ConfigError: If ``batch_size`` cannot be cut so.

        Example:
            >>> options = Options(batch_size=1000).shared_by(4)
            >>> options.batch_size, options.accumulate
            (250, 4)
        """
        parts = processes // math.gcd(self.accumulate, processes)
        rule = f"be a multiple of {parts}, to be shared by {processes} processes"
        _require("batch_size", self.batch_size, rule, self.batch_size % parts == 0)
        size = self.batch_size // parts
        return replace(self, batch_size=size, accumulate=self.accumulate * parts)


VALIDATIONS = 10
"""At least so many a training: fewer show nothing, and choose nothing."""

MUON_RATE = 3.0
"""The best rates of Muon in those of AdamW."""


def by_adamw(options: Options) -> Options:
    """Return options of Muon as they fit AdamW; others as they are."""
    if options.optimizer != "muon":
        return options
    return replace(options, optimizer="adamw", learning_rate=options.learning_rate / MUON_RATE)


_CHOICES = {
    "optimizer": ("adamw", "adam", "sgd", "muon"),
    "schedule": ("constant", "cosine"),
    "precision": ("auto", "float32", "bf16"),
}


def _require(name: str, value: object, rule: str, holds: bool) -> None:
    if not holds:
        raise ConfigError(f"{name} must {rule}, got {value}")
