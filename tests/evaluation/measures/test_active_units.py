import pytest
import torch
from torch import Tensor, nn

from ancestral.autoencoders import VAE
from ancestral.data.dataset import Examples
from ancestral.data.transforms import Affine
from ancestral.evaluation.measures.active_units import active_units
from ancestral.evaluation.verdict import said_of
from ancestral.flows import Affine as AffineMap
from ancestral.flows import Autoregressive, Flow
from ancestral.networks.units import InDataUnits


def in_units(network: nn.Module) -> InDataUnits:
    return InDataUnits(network, Affine(torch.zeros(2), torch.ones(2)))


def vae(slopes: Tensor) -> InDataUnits:
    """q(z | x) = Normal(slope * x_1, 1 - slope^2), so that z has variance 1."""
    model = VAE(2, latent=len(slopes), hidden=()).requires_grad_(False)
    (head,) = (m for m in model.encoder.modules() if isinstance(m, nn.Linear))
    for parameter in head.parameters():
        parameter.zero_()
    head.weight[: len(slopes), 0] = slopes
    head.bias[len(slopes) :] = 0.5 * (1 - slopes.square()).log()
    return in_units(model)


X = Examples(torch.randn(2000, 2, generator=torch.Generator().manual_seed(0)))


def test_the_latents_that_x_moves_are_counted() -> None:
    # Shares of variance of 0, 0.0025, 0.04 and 0.81: two of four lie above a hundredth.
    found = active_units(vae(torch.tensor([0.0, 0.05, 0.2, 0.9])), X)
    assert found is not None
    assert found.value == 0.5


@pytest.mark.parametrize(("slope", "words"), [(0.0, 1), (0.5, 0)])
def test_a_collapsed_posterior_is_said(slope: float, words: int) -> None:
    found = active_units(vae(torch.full((3,), slope)), X)
    said = said_of({"active_units": found})
    assert len(said) == words
    assert all(line == "posterior collapse: 0% of the latents say anything of x" for line in said)


def test_a_flow_has_no_posterior_that_could_collapse() -> None:
    flow = Flow(Autoregressive([0, 1], AffineMap(), hidden=(4,)), (2,))
    assert active_units(in_units(flow), X) is None
