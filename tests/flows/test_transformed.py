import pytest
import torch
from torch.distributions import Normal

from ancestral.flows import ElementwiseAffine, Transformed
from ancestral.networks import StandardNormal
from ancestral.networks.sampling import draw

pytestmark = pytest.mark.usefixtures("float64")


def affine() -> ElementwiseAffine:
    """x = 2 z + (1, -1)."""
    bijection = ElementwiseAffine(2)
    with torch.no_grad():
        bijection.log_slope.fill_(torch.tensor(2.0).log())
        bijection.shift.copy_(torch.tensor([1.0, -1.0]))
    return bijection


def test_an_affine_map_of_a_normal_is_a_normal() -> None:
    law = Transformed(StandardNormal((2,))(), affine())
    x = torch.randn(3, 7, 2)
    wanted = Normal(torch.tensor([1.0, -1.0]), 2.0).log_prob(x).sum(-1)
    torch.testing.assert_close(law.log_prob(x), wanted)
    torch.testing.assert_close(law.carry(law.noise_of(x)), x)


def test_draws_have_the_shapes_of_torch_and_follow_the_generator() -> None:
    law = Transformed(StandardNormal((2,))(), affine(), context=torch.zeros(4, 3))
    assert law.batch_shape == (4,)
    assert law.event_shape == (2,)
    assert law.rsample((5,)).shape == (5, 4, 2)
    first, second = (draw(law, (5,), torch.Generator().manual_seed(0)) for _ in range(2))
    assert first.shape == (5, 4, 2)
    assert torch.equal(first, second)
    assert law.rsample().requires_grad
