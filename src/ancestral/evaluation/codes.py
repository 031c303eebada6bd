"""What is shown of the codes of a model: a map, reconstructions, and what they know of labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ancestral.data.dataset import Dataset, Examples
from ancestral.data.fields import LABEL
from ancestral.evaluation.drawing import device_of
from ancestral.evaluation.measures.estimate import Estimate, mean_of
from ancestral.evaluation.measures.probe import linear_probe
from ancestral.evaluation.space import Space
from ancestral.networks.latent import encode, reconstruct
from ancestral.networks.units import InDataUnits

_EXAMPLES, _SHOWN = 1_000, 10
"""Test examples that are encoded, and those that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Codes:
    """Codes of test examples, and what is made of them again.

    Args:
        places: Along the first two principal components of the codes, [N, 2]; of a code of one
            number that, and the first component of the examples.
        beside: Of the examples themselves, [N, 2].
        label: Of each, [N]; None where there is none.
        first: The first examples and their reconstructions, [10, *event] each.
        worst: The same of those of which most is lost, the worst first.
        lost: Mean squared distance to the reconstruction, in units of the space.
        probes: Share of labels that a line finds, by what it sees: ``codes``, the ``examples``
            and as many of their principal ``components``; empty without labels.
    """

    places: Tensor
    beside: Tensor
    label: Tensor | None
    first: tuple[Tensor, Tensor]
    worst: tuple[Tensor, Tensor]
    lost: Estimate
    probes: Mapping[str, Estimate] = field(default_factory=dict)


def codes_of(model: InDataUnits, data: Dataset, space: Space) -> Codes:
    """Return the codes of the first test examples.

    Args:
        model: That encodes.
        data: Whose test split is encoded.
        space: In which examples are compared.
    """
    test = data.test[:_EXAMPLES]
    z, x = _encoded(model, test), space.coarse(space(test.x)).double()
    back = reconstruct(model, test, device=str(device_of(model)))
    lost = (space(back) - space(test.x)).double().square().sum(dim=1)
    worst = lost.argsort(descending=True, stable=True)[:_SHOWN]
    beside = _plane(x)
    places = _plane(z) if z.shape[1] > 1 else torch.cat((z, beside[:, :1]), dim=1)
    return Codes(
        places=places,
        beside=beside,
        label=test.given.get(LABEL),
        first=(test.x[:_SHOWN], back[:_SHOWN]),
        worst=(test.x[worst], back[worst]),
        lost=mean_of(lost),
        probes=_probes(model, data, space, (z, x)),
    )


def _probes(
    model: InDataUnits, data: Dataset, space: Space, seen: tuple[Tensor, Tensor]
) -> dict[str, Estimate]:
    """Return what a line finds of labels that the model was not given."""
    if LABEL in model.nodes or len(data.labels) < 2:
        return {}
    train, labels = data.train[:_EXAMPLES], data.test[LABEL][:_EXAMPLES]
    z, x = _encoded(model, train), space.coarse(space(train.x)).double()
    axes = _axes(x)[:, : z.shape[1]]
    pairs = {
        "codes": (z, seen[0]),
        "examples": (x, seen[1]),
        "components": (x @ axes, seen[1] @ axes),
    }
    return {
        name: linear_probe((own, train[LABEL]), (other, labels))
        for name, (own, other) in pairs.items()
    }


def _encoded(model: InDataUnits, examples: Examples) -> Tensor:
    return encode(model, examples, device=str(device_of(model))).mean.flatten(1).double()


def _axes(x: Tensor) -> Tensor:
    return torch.linalg.svd(x - x.mean(dim=0), full_matrices=False).Vh.T


def _plane(x: Tensor) -> Tensor:
    """Return points [N, D] along their first two principal components, [N, 2]."""
    along = (x - x.mean(dim=0)) @ _axes(x)[:, :2]
    return torch.nn.functional.pad(along, (0, 2 - along.shape[1]))
