"""Samples of a model for an evaluation: many to measure, a few to show."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from ancestral.capabilities import HasGraph
from ancestral.data.dataset import Dataset
from ancestral.evaluation.measures.neighbours import nearest
from ancestral.evaluation.setting import WIDE
from ancestral.evaluation.space import Space
from ancestral.networks.units import InDataUnits

SHOWN = {"vectors": 10_000, "images": 100, "tables": 10_000}
"""Samples kept for pictures."""

NEIGHBOURS = 10
"""Of the samples kept, so many are shown beside their nearest training example."""

_NUMBERS = 1 << 23
"""Numbers of the training examples that are looked at together."""

BATCH = {False: 10_000, True: 500}
"""Samples in one call of the model, by whether examples are wide."""


def device_of(model: InDataUnits) -> torch.device:
    """Return the device of the model's parameters or buffers; the CPU if it has none."""
    tensors = (*model.model.parameters(), *model.model.buffers())
    return tensors[0].device if tensors else torch.device("cpu")


def generator_of(model: InDataUnits, seed: int) -> Generator:
    """Return a seeded generator on the model's device."""
    return Generator(device_of(model)).manual_seed(seed)


def draw(model: InDataUnits, data: Dataset, n: int, *, seed: int, means: bool = False) -> Tensor:
    """Return n samples on the CPU, [n, *event] in user units.

    Nothing is given, so a conditional model draws its labels from its own p(label).

    Raises:
        ArithmeticError: If samples are not finite; it says how many.
    """
    generator = generator_of(model, seed)
    size = BATCH[data.event_shape.numel() > WIDE]
    counts = [min(size, n - start) for start in range(0, n, size)]
    samples = torch.cat([model.sample(m, generator=generator, means=means).cpu() for m in counts])
    bad = int((~samples.flatten(start_dim=1).isfinite()).any(dim=1).sum())
    if bad:
        raise ArithmeticError(f"{bad:,} of {n:,} are not finite, so none was measured")
    return samples


def show(
    model: InDataUnits, data: Dataset, drawn: Tensor, *, seed: int
) -> tuple[Tensor, Mapping[str, Tensor]]:
    """Return samples to look at [N, *event] and what is given of them.

    Vectors: the first of those drawn. Images: a hundred, of a model with a node ``label`` an equal
    number of each label in turn.
    """
    n = SHOWN[data.kind]
    if data.kind != "images" or not data.labels or not _has_label(model):
        return drawn[:n], {}
    labels = torch.arange(n) % len(data.labels)
    given = {"label": labels.to(device_of(model))}
    samples = model.sample(n, given=given, generator=generator_of(model, seed))
    return samples.cpu(), {"label": labels}


def nearest_training(samples: Tensor, data: Dataset, space: Space) -> Tensor:
    """Return the training examples [10, *event] nearest to the first 10 samples."""
    shown, x = space(samples[:NEIGHBOURS]), data.train.x
    chosen, least = (
        x[:1].expand(len(shown), *x.shape[1:]),
        torch.full((len(shown),), torch.inf, dtype=torch.float64),
    )
    for part in x.split(max(1, _NUMBERS // x[0].numel())):  # Large data lie in a file.
        distances, indices = nearest(shown, space(part))
        closer = distances[:, 0] < least
        least = torch.where(closer, distances[:, 0], least)
        chosen = torch.where(closer.view(-1, *[1] * (x.ndim - 1)), part[indices[:, 0]], chosen)
    return chosen


def _has_label(model: InDataUnits) -> bool:
    network = model.model
    return isinstance(network, HasGraph) and any(
        "label" in dag.names for dag in network.graph.values()
    )
