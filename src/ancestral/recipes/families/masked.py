"""Masked diffusion of tokens: text that is filled in, with a bound on its probability."""

from dataclasses import dataclass, replace
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
class MaskedConfig:
    """Masked diffusion of blocks of tokens, with the modern parts of a GPT.

    Args:
        size: One dial: it sets layers, width, heads and learning rate.
        layers: Blocks of the Transformer, at least 1; None: by ``size``.
        width: Of embeddings, at least 1, an even multiple of ``heads``; None: by ``size``.
        heads: Attention heads, at least 1; None: by ``size``.
        block: Tokens of a block that is unmasked at once, from 1 (autoregressive) to the window
            (plain masked diffusion); None: 2.
        holes: Share of the batches in which a stretch is learned from both sides, in [0, 1].
        dropout: Share of features put to zero in training, in [0, 1).
    """

    size: TextSize = "small"
    layers: int = chosen()
    width: int = chosen()
    heads: int = chosen()
    block: int = chosen()
    holes: float = 0.1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        at_least(self, layers=1, width=1, heads=1, block=1)
        shares(self, "dropout")
        require(self, "holes", 0 <= self.holes <= 1, "in [0, 1]")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with its layers, width, heads and block."""
        heads = self.heads or HEADS[self.size]
        width = self.width or heads * HEAD_WIDTH[self.size]
        rule = f"an even multiple of heads = {heads}"
        require(self, "width", width % (2 * heads) == 0, rule)
        window = shape.event_shape[0] - 1
        block = self.block or min(_BLOCK, window)
        require(self, "block", block <= window, f"at most the window, {window}")
        layers = self.layers or LAYERS[self.size]
        return replace(self, layers=layers, width=width, heads=heads, block=block)


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


def _masked(config: MaskedConfig, shape: Shape) -> nn.Module:
    """Return a model whose window is that of the data."""
    sizes = GPTShape(
        window=shape.event_shape[0] - 1,
        width=config.width,
        layers=config.layers,
        heads=config.heads,
    )
    return MaskedDiffusion(
        shape.vocabulary,
        shape=sizes,
        parts=PARTS["modern"],
        block=config.block,
        holes=config.holes,
        dropout=config.dropout,
    )


RECIPES = (
    Recipe(
        name="masked-diffusion",
        paradigm="diffusion",
        summary="Transformer that unmasks text block after block, and fills blanks",
        config=MaskedConfig,
        build=_masked,
        kinds=("text",),
        transform=lambda _data: States("tokens"),
        chosen_by=figures.BITS_PER_CHAR,
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
    ),
)
