"""Chapter 3, its examples of layers: the shapes and values that they give."""

import torch
from torch import nn

from ancestral.autoregressive import GPT, GPTShape, RecurrentLM, token_cross_entropy
from ancestral.book.chapters.language import BATCH, VOCABULARY
from ancestral.book.entry import Entry, How
from ancestral.nn import CausalSelfAttention, FeedForward, Sight
from ancestral.nn.transformer import Block, GPTParts


def made(module: nn.Module, *given: object) -> tuple[float, ...]:
    """Return the shape of what a layer makes of 32 sequences of 256 tokens."""
    return tuple(module.to("meta")(torch.empty(BATCH, 256, 384, device="meta"), *given).shape)


def logits_of(model: type[GPT] | type[RecurrentLM]) -> tuple[float, ...]:
    """Return the shape of the logits of two sequences of eight tokens: all would be 2 GB."""
    return tuple(model(VOCABULARY)(torch.zeros(2, 8, dtype=torch.int64)).shape)


def embedded() -> tuple[float, ...]:
    """Return the shapes of the embeddings of 32 sequences of 256 tokens, and of their matrix."""
    with torch.device("meta"):
        tokens = GPT(VOCABULARY).tokens
        found = tokens(torch.zeros(BATCH, 256, dtype=torch.int64))
    return (*found.shape, *tokens.weight.shape)


def gap_of_losses(how: How) -> float:
    """Return how far the loss in steps is from the one of torch."""
    features, head = how.uniform(8, 16), how.uniform(50, 16)
    targets = torch.arange(8)
    ours = token_cross_entropy(features, head, targets).mean()
    return abs(ours - nn.functional.cross_entropy(features @ head.T, targets)).item()


def normed(how: How) -> tuple[float, ...]:
    """Return mean and variance of a token after layer norm."""
    x = nn.LayerNorm(384).double()(100 * how.uniform(384))
    return x.mean().item(), x.var(correction=0).item()


def dropped(how: How) -> tuple[float, ...]:
    """Return the values that dropout leaves in a matrix of ones, 5 x 5."""
    torch.manual_seed(how.noise.initial_seed())
    return tuple(nn.Dropout(0.2)(torch.ones(5, 5, dtype=torch.float64)).unique().tolist())


ENTRIES: tuple[Entry, ...] = (
    Entry(
        "EX-04",
        "Shapes of the embeddings of 32 sequences of 256, and of their matrix",
        "Formas de los embeddings de 32 secuencias de 256, y de su matriz",
        book=(32, 256, 384, VOCABULARY, 384),
        find=lambda _: embedded(),
    ),
    Entry(
        "EX-05",
        "Shape of the recurrent network's logits, of 2 sequences of 8",
        "Forma de los logits de la red recurrente, de 2 secuencias de 8",
        book=(2, 8, VOCABULARY),
        find=lambda _: logits_of(RecurrentLM),
    ),
    Entry(
        "EX-06",
        "Loss in steps less torch's",
        "Pérdida por pasos menos la de torch",
        book=0,
        within=1e-5,
        find=gap_of_losses,
    ),
    Entry(
        "EX-08",
        "Mean and variance after layer norm",
        "Media y varianza tras la normalización de capa",
        book=(0, 1),
        within=1e-5,
        find=normed,
    ),
    Entry(
        "EX-09",
        "Values that dropout leaves in a matrix of ones",
        "Valores que deja dropout en una matriz de unos",
        book=(0, 1.25),
        find=dropped,
    ),
    Entry(
        "EX-10",
        "Features of one head",
        "Características de una cabeza",
        book=64,
        find=lambda _: GPTShape().features_of_a_head,
    ),
    Entry(
        "EX-11",
        "Shape of what multi-head attention makes",
        "Forma de lo que hace la atención de varias cabezas",
        book=(32, 256, 384),
        find=lambda _: made(
            CausalSelfAttention(384, heads=6, key_value_heads=6, head_width=64), Sight()
        ),
    ),
    Entry(
        "EX-12",
        "Shape of what the feed-forward layer makes",
        "Forma de lo que hace la capa por token",
        book=(32, 256, 384),
        find=lambda _: made(FeedForward(384, hidden=4 * 384)),
    ),
    Entry(
        "EX-13",
        "Shape of what a block makes",
        "Forma de lo que hace un bloque",
        book=(32, 256, 384),
        find=lambda _: made(Block(GPTShape(), GPTParts()), Sight()),
    ),
    Entry(
        "EX-14",
        "Shape of the GPT's logits, of 2 sequences of 8",
        "Forma de los logits del GPT, de 2 secuencias de 8",
        book=(2, 8, VOCABULARY),
        find=lambda _: logits_of(GPT),
    ),
)
