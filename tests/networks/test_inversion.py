"""Inversion finds the latents of what a model can make; directions and grids are what they say."""

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Decodes, Given
from ancestral.data.dataset import Examples
from ancestral.data.transforms import Affine
from ancestral.networks.inversion import invert
from ancestral.networks.latent import difference, encode, grid, shifted
from ancestral.networks.units import InDataUnits


class Turned(nn.Module):
    """x = A z with orthonormal columns: its best latents are A' x, with the prior a little less."""

    def __init__(self) -> None:
        super().__init__()
        noise = torch.randn(6, 2, generator=Generator().manual_seed(0))
        self.matrix = nn.Parameter(torch.linalg.qr(noise)[0])

    def draw_latents(self, n: int, *, generator: Generator | None = None) -> Tensor:
        return torch.randn(n, 2, generator=generator)

    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        assert not given
        return z @ self.matrix.T


def _model() -> InDataUnits:
    return InDataUnits(Turned(), Affine(torch.zeros(6), torch.ones(6)))


def test_inversion_finds_the_least_squares(generator: Generator) -> None:
    model = Turned()
    assert isinstance(model, Decodes)
    z = torch.randn(5, 2, generator=generator)
    found = invert(model, model.decode(z), prior=0.0, generator=generator)
    assert torch.allclose(found, z, atol=1e-3)
    # With the prior the squares are |Az - x|^2 / 6 + w |z|^2 / 2: the latents shrink alike.
    shrunk = invert(model, model.decode(z), prior=0.1, generator=generator)
    assert torch.allclose(shrunk, z / (1 + 0.1 * 6 / 2), atol=1e-3)
    assert model.matrix.grad is None


def test_directions_and_grids_are_linear(generator: Generator) -> None:
    model, z = _model(), torch.randn(4, 2, generator=generator)
    corners = Examples(model.decode(z).detach(), {})
    # The prior shrinks all latents by one factor.
    shrink = 1 / (1 + 0.01 * 6 / 2)
    assert torch.allclose(encode(model, corners).mean, shrink * z, atol=2e-3)
    found = grid(model, corners, 3).unflatten(0, (3, 3))
    assert torch.allclose(found[0, 0], shrink * corners.x[0], atol=2e-3)
    assert torch.allclose(found[2, 2], shrink * corners.x[3], atol=2e-3)
    assert torch.allclose(found[1, 1], shrink * corners.x.mean(0), atol=2e-3)
    direction = difference(model, corners[:2], corners[2:])
    moved = shifted(model, corners[:1], direction, [0, 2])
    assert torch.allclose(moved[0], shrink * corners.x[0], atol=2e-3)
    expected = corners.x[0] + 2 * (corners.x[:2].mean(0) - corners.x[2:].mean(0))
    assert torch.allclose(moved[1], shrink * expected, atol=1e-2)
