"""How language models are built from their configs; see :mod:`ancestral.recipes.wiring`."""

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from ancestral.autoregressive import GPT, GPTParts, GPTShape, RecurrentLM
from ancestral.autoregressive.recurrent import Cell
from ancestral.classic.chains.language import NGramLanguageModel
from ancestral.classic.chains.smoothing import AddK, KneserNey, Smoothing, WittenBell
from ancestral.data.dataset import Dataset
from ancestral.data.fields import Shape
from ancestral.data.transforms import States, Transform
from ancestral.recipes.text_configs import (
    MUON_RATE,
    BigramConfig,
    GPTConfig,
    KneserNeyConfig,
    NGramConfig,
    RecurrentConfig,
)
from ancestral.training.options import Options

OPTIONS = Options(
    batch_size=16,
    betas=(0.9, 0.95),
    weight_decay=0.1,
    warmup=50,
    max_grad_norm=1.0,
    validate_every=100,
    patience=10,
    large_products=True,
)
"""Of the training of language models; the rate comes from the size of the network."""

GPT_OPTIONS = replace(OPTIONS, optimizer="muon", hidden_weight_decay=1.0, batch_size=8)
"""Of a GPT: after the same steps Muon was far ahead of AdamW, see the notes on performance."""


def by_adamw(options: Options) -> Options:
    """Return options of Muon as they fit AdamW; others as they are."""
    if options.optimizer != "muon":
        return options
    return replace(options, optimizer="adamw", learning_rate=options.learning_rate / MUON_RATE)


def tokens(data: Dataset) -> Transform:
    """Return the transform of text: token ids stay as they are."""
    del data  # There is nothing to fit.
    return States("tokens")


def bigram(config: BigramConfig, shape: Shape) -> nn.Module:
    """Return a model of pairs, not fitted yet."""
    return NGramLanguageModel(shape.vocabulary, order=2, smoothing=AddK(config.k))


def ngram(config: NGramConfig, shape: Shape) -> nn.Module:
    """Return a model of n-grams, not fitted yet."""
    smoothing: Smoothing = KneserNey()
    if config.smoothing == "add-k":
        smoothing = AddK(config.k)
    elif config.smoothing == "witten-bell":
        smoothing = WittenBell()
    return NGramLanguageModel(shape.vocabulary, order=config.order, smoothing=smoothing)


def kneser_ney(config: KneserNeyConfig, shape: Shape) -> nn.Module:
    """Return a model of n-grams under Kneser-Ney, not fitted yet."""
    return NGramLanguageModel(shape.vocabulary, order=config.order, smoothing=KneserNey())


def recurrent(cell: Cell) -> Callable[[RecurrentConfig, Shape], nn.Module]:
    """Return what builds a recurrent network of a kind of cells."""

    def build(config: RecurrentConfig, shape: Shape) -> nn.Module:
        config = config.resolved(shape)
        return RecurrentLM(
            shape.vocabulary,
            cell=cell,
            width=config.width or 1,
            layers=config.layers or 1,
            dropout=config.dropout,
        )

    return build


def adapted_part(model: nn.Module) -> nn.Module:
    """Return the part of a language model whose layers get adapters.

    Of a GPT the blocks: attention (queries, keys and values are one product; the output another)
    and feed-forward. Of a recurrent network the cells: the matrices of input and state. Embeddings,
    norms and head stay as they are.
    """
    if isinstance(model, GPT):
        return model.blocks
    if isinstance(model, RecurrentLM):
        return model.layers
    raise TypeError(f"{type(model).__name__} is not trained by gradients")


def gpt(config: GPTConfig, shape: Shape) -> nn.Module:
    """Return a GPT whose window is that of the data."""
    config = config.resolved(shape)
    return GPT(
        shape.vocabulary,
        shape=GPTShape(
            window=shape.event_shape[0] - 1,
            width=config.width or 1,
            layers=config.layers or 1,
            heads=config.heads or 1,
            key_value_heads=config.groups,
        ),
        parts=GPTParts(
            positions=config.positions or "learned",
            norm=config.norm or "layer",
            feed_forward=config.feed_forward or "gelu",
            tied=bool(config.tied),
            qk_norm=bool(config.qk_norm),
            score=config.score,
        ),
        dropout=config.dropout or 0.0,
        attention_dropout=config.attention_dropout,
    )
