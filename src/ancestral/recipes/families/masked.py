"""Masked tokens: text that is filled in, by masked diffusion or as BERT does."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Self

from torch import nn

from ancestral.autoregressive.sizes import HEAD_WIDTH, HEADS, LAYERS, PARTS, TextSize, rate_of_width
from ancestral.data.fields import Shape
from ancestral.data.transforms import States
from ancestral.diffusion.masked import MaskedDiffusion
from ancestral.evaluation import chosen as figures
from ancestral.nn.transformer import GPTShape
from ancestral.recipes.recipe import Recipe
from ancestral.settings import at_least, chosen, require, shares
from ancestral.training.budget import Budget
from ancestral.training.options import MUON_RATE, Options

_BLOCK = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedTextConfig:
    """A Transformer over tokens, with the modern parts of a GPT.

    Args:
        size: One dial: it sets layers, width, heads and learning rate.
        layers: Blocks of the Transformer, at least 1; None: by ``size``.
        width: Of embeddings, at least 1, an even multiple of ``heads``; None: by ``size``.
        heads: Attention heads, at least 1; None: by ``size``.
        dropout: Share of features put to zero in training, in [0, 1).
    """

    size: TextSize = "small"
    layers: int = chosen()
    width: int = chosen()
    heads: int = chosen()
    dropout: float = 0.0

    def __post_init__(self) -> None:
        at_least(self, layers=1, width=1, heads=1)
        shares(self, "dropout")

    def resolved(self, shape: Shape) -> Self:  # noqa: ARG002 - every config's signature
        """Return the config with its layers, width and heads."""
        heads = self.heads or HEADS[self.size]
        width = self.width or heads * HEAD_WIDTH[self.size]
        rule = f"an even multiple of heads = {heads}"
        require(self, "width", width % (2 * heads) == 0, rule)
        return replace(self, layers=self.layers or LAYERS[self.size], width=width, heads=heads)

    def build(
        self, shape: Shape, *, block: int, holes: float = 0.0, rate: float | None = None
    ) -> nn.Module:
        """Return a model whose window is that of the data, of a resolved config."""
        return MaskedDiffusion(
            shape.vocabulary,
            shape=GPTShape(
                window=shape.event_shape[0] - 1,
                width=self.width,
                layers=self.layers,
                heads=self.heads,
            ),
            parts=PARTS["modern"],
            block=block,
            holes=holes,
            dropout=self.dropout,
            rate=rate,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedConfig(MaskedTextConfig):
    """Masked diffusion of blocks of tokens.

    Args:
        block: Tokens of a block that is unmasked at once, from 1 (autoregressive) to the window
            (plain masked diffusion); None: 2.
        holes: Share of the batches in which a stretch is learned from both sides, in [0, 1].
    """

    block: int = chosen()
    holes: float = 0.1

    def __post_init__(self) -> None:
        MaskedTextConfig.__post_init__(self)
        at_least(self, block=1)
        require(self, "holes", 0 <= self.holes <= 1, "in [0, 1]")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with its sizes and its block."""
        window = shape.event_shape[0] - 1
        block = self.block or min(_BLOCK, window)
        require(self, "block", block <= window, f"at most the window, {window}")
        return replace(super(MaskedConfig, self).resolved(shape), block=block)


@dataclass(frozen=True, slots=True, kw_only=True)
class BertConfig(MaskedTextConfig):
    """BERT's objective: tokens that are masked, predicted from all others on both sides.

    Args:
        rate: Share of the tokens that are predicted at a time, in (0, 1].
    """

    rate: float = 0.15

    def __post_init__(self) -> None:
        MaskedTextConfig.__post_init__(self)
        require(self, "rate", 0 < self.rate <= 1, "above 0 and at most 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmaskingConfig:
    """How the tokens of a block are drawn.

    Args:
        steps: Passes of the network for each block, at least 1; None: one for each token, the
            model's own law.
        sampler: ``ancestral`` draws tokens in a random order, ``confidence`` the surest first.
    """

    steps: int | None = None
    sampler: Literal["ancestral", "confidence"] = "ancestral"

    def __post_init__(self) -> None:
        at_least(self, steps=1)


_recipe = partial(
    Recipe,
    paradigm="diffusion",
    kinds=("text",),
    transform=lambda _data: States("tokens"),
    options={
        "text": Options(
            optimizer="muon",
            batch_size=8,
            betas=(0.9, 0.95),
            weight_decay=0.1,
            hidden_weight_decay=1.0,
            warmup=50,
            max_grad_norm=1.0,
            validate_every=150,
            patience=10,
            large_products=True,
        )
    },
    rate=lambda config: MUON_RATE * rate_of_width(config.width),
    budget={"text": Budget(steps=2_000)},
    epochs_apart=1,
    sampling=UnmaskingConfig,
)

RECIPES = (
    _recipe(
        name="masked-diffusion",
        summary="Transformer that unmasks text block after block, and fills blanks",
        config=MaskedConfig,
        build=lambda config, shape: config.build(shape, block=config.block, holes=config.holes),
        chosen_by=figures.BITS_PER_CHAR,
    ),
    _recipe(
        name="bert",
        summary="Transformer that predicts masked words from both sides, and fills blanks",
        config=BertConfig,
        build=lambda config, shape: config.build(
            shape, block=shape.event_shape[0] - 1, rate=config.rate
        ),
        chosen_by=figures.LOSS,
    ),
)
