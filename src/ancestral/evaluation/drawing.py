"""Samples of a model for an evaluation."""

from typing import Any

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Given
from ancestral.data.dataset import Dataset
from ancestral.evaluation.measures.neighbours import nearest
from ancestral.evaluation.space import Space
from ancestral.networks.units import InDataUnits

NEIGHBOURS = 10
"""Of the samples kept, so many are shown beside their nearest training example."""

_NUMBERS = 1 << 23
"""Numbers of the training examples that are looked at together."""

BATCH = {False: 10_000, True: 128}
"""Samples in one call of the model, by whether examples are wide."""


def device_of(model: InDataUnits) -> torch.device:
    """Return the device of the model's parameters or buffers; the CPU if it has none."""
    tensors = (*model.network.parameters(), *model.network.buffers())
    return tensors[0].device if tensors else torch.device("cpu")


def generator_of(model: InDataUnits, seed: int) -> Generator:
    """Return a seeded generator on the model's device."""
    return Generator(device_of(model)).manual_seed(seed)


def placed(given: Given | None, device: torch.device | str) -> Given | None:
    """Return what is given on a device, None where nothing is."""
    return given and {name: value.to(device) for name, value in given.items()}


def draw(
    model: InDataUnits,
    n: int,
    *,
    seed: int,
    wide: bool,
    given: Given | None = None,
    whole: bool = True,
    **how: Any,  # noqa: ANN401 - as of ``sample``
) -> Tensor:
    """Return n samples on the CPU, [n, *event] in user units.

    Args:
        model: It draws what is not given, its labels too.
        n: How many.
        seed: Of the draws.
        wide: Whether examples are, so that fewer are drawn at a time.
        given: Of each sample, [n, *event].
        whole: Whether no cell may be missing; where one may it is NaN.
        how: ``means`` or ``evaluations`` of :meth:`InDataUnits.sample`.

    Raises:
        ArithmeticError: If samples are not finite; it says how many.
    """
    generator, device = generator_of(model, seed), device_of(model)
    parts = []
    for rows in torch.arange(n).split(BATCH[wide]):
        some = placed(given and {name: value[rows] for name, value in given.items()}, device)
        parts.append(model.sample(len(rows), given=some, generator=generator, **how).cpu())
    samples = torch.cat(parts)
    bad = int(strange(samples, whole).flatten(start_dim=1).any(dim=1).sum())
    if bad:
        raise ArithmeticError(f"{bad:,} of {n:,} are not finite, so none was measured")
    return samples


def strange(samples: Tensor, whole: bool) -> Tensor:
    """Return which numbers are not finite; where rows are not whole a missing cell, NaN, may be."""
    return ~samples.isfinite() if whole else samples.isinf()


def nearest_training(samples: Tensor, data: Dataset, space: Space) -> Tensor:
    """Return the training examples [10, *event] nearest to the first 10 samples."""
    shown, x = space(samples[:NEIGHBOURS]), data.train.x
    chosen, least = (
        x[:1].expand(len(shown), *x.shape[1:]),
        torch.full((len(shown),), torch.inf, dtype=torch.float64),
    )
    width = max(x[0].numel(), shown.shape[1])
    for part in x.split(max(1, _NUMBERS // width)):  # Large data lie in a file.
        distances, indices = nearest(shown, space(part))
        closer = distances[:, 0] < least
        least = torch.where(closer, distances[:, 0], least)
        chosen = torch.where(closer.view(-1, *[1] * (x.ndim - 1)), part[indices[:, 0]], chosen)
    return chosen
