"""The class label of a conditional model: its law, and what is done where it is not given."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.distributions import Categorical

from ancestral.capabilities import Given, HasLabelLaw
from ancestral.errors import CapabilityError
from ancestral.networks.arguments import held_rows
from ancestral.networks.nodes import Table
from ancestral.networks.sampling import draw


def uniform_labels(classes: int) -> Table | None:
    """Return p(label) before any label is counted; None where there are no classes.

    Raises:
        ValueError: If classes is negative.
    """
    if classes < 0:
        raise ValueError(f"classes must be at least 0, got {classes}")
    return Table([1 / classes] * classes) if classes else None


def fit_labels(labels: Table | None, counts: Tensor) -> None:
    """Set p(label) to the share of each class, the maximum-likelihood table, from counts [K].

    Raises:
        ValueError: If there are no classes, or counts has another shape or sums to 0.
    """
    if labels is None:
        raise ValueError("this model has no label, so there are no counts to fit")
    labels.fit_counts(counts)


def given_label(labels: Table | None, given: Given | None, n: int) -> Tensor | None:
    """Return the label of each of n examples, int64 [n], or None where none is given.

    Raises:
        CapabilityError: If a label is given to a model without classes.
        ValueError: If it is neither one number nor n, or no class.
    """
    value = (given or {}).get("label")
    if value is None:
        return None
    if labels is None:
        raise CapabilityError("the model is unconditional: no label can be given")
    label = held_rows("label", value, n, ()).long()
    classes = len(labels.states)
    if n and not (int(label.min()) >= 0 and int(label.max()) < classes):
        raise ValueError(f"a given label must be from 0 to {classes - 1}, got {label.tolist()[:9]}")
    return label


def some_label(
    labels: Table | None, given: Given | None, n: int, generator: Generator | None
) -> Tensor | None:
    """Return the label of each of n draws: as given, else drawn; None where there are no classes.

    Raises as :func:`given_label`.
    """
    label = given_label(labels, given, n)
    return draw(labels(), (n,), generator) if label is None and labels is not None else label


def draw_labels(model: HasLabelLaw, n: int, generator: Generator | None) -> Tensor:
    """Return n labels by a model's own law of them, int64 [n]."""
    law = Categorical(probs=model.label_probabilities, validate_args=False)
    return draw(law, (n,), generator)


def sum_labels(labels: Table, log_prob: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return ``log sum_k p(k) p(x | k)``, nats, [B].

    Args:
        labels: The law of the label.
        log_prob: log p(x | label), [B], by the label of each example, int64 [B].
        x: The examples, [B, *event].
    """
    every = torch.arange(len(labels.states), device=x.device)
    terms = torch.stack([log_prob(k.expand(len(x))) for k in every], dim=-1)
    return (terms + labels.probabilities.log().to(terms)).logsumexp(-1)


def drop_labels(
    label: Tensor, *, classes: int, rate: float, generator: Generator | None = None
) -> Tensor:
    """Return labels [B] of which each has become "no label", the index K, with a probability.

    A network trained so knows both outputs that guidance needs.

    Source: Ho & Salimans 2022, Classifier-Free Diffusion Guidance, arXiv:2207.12598, alg. 1.

    Args:
        label: Labels, int64 [B].
        classes: Number of classes K.
        rate: The probability, in [0, 1].
        generator: Source of the draws; torch's global one if None.

    Example:
        >>> drop_labels(torch.tensor([0, 1, 2]), classes=3, rate=1.0)
        tensor([3, 3, 3])
    """
    uniform = torch.rand(label.shape, generator=generator, device=label.device)
    return label.masked_fill(uniform < rate, classes)
