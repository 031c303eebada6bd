import pytest
import torch
from torch import Generator, nn
from torch.func import jacrev, vmap

from ancestral.autoencoders import (
    Contraction,
    KeepLargest,
    Sparsity,
    image_networks,
    squared_jacobian_norm,
)

pytestmark = pytest.mark.usefixtures("float64")


def test_the_norm_of_the_slopes_is_that_of_the_jacobian() -> None:
    encoder = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    x = torch.randn(6, 4, requires_grad=True)
    wanted = vmap(jacrev(encoder))(x).square().sum((1, 2))
    z = encoder(x)
    torch.testing.assert_close(squared_jacobian_norm(x, z), wanted)
    torch.testing.assert_close(Contraction(weight=0.5)(x, z, None), 0.5 * wanted)
    probes, generator = 4000, Generator().manual_seed(0)
    draws = torch.stack(
        [squared_jacobian_norm(x, z, probes=1, generator=generator).detach() for _ in range(probes)]
    )
    error = draws.std(0) / probes**0.5
    assert bool(((draws.mean(0) - wanted).abs() < 5 * error).all())
    torch.testing.assert_close(
        squared_jacobian_norm(x, z, probes=probes, generator=Generator().manual_seed(0)),
        draws.mean(0),
        rtol=1e-9,
        atol=0,
    )


def test_the_slopes_of_a_convolution_are_found() -> None:
    encoder = image_networks((1, 6, 6), 3, width=2)[0]
    x = torch.randn(2, 1, 6, 6, requires_grad=True)
    jacobian = torch.autograd.functional.jacobian(encoder, x)
    own = torch.stack([jacobian[i, :, i] for i in range(2)])
    torch.testing.assert_close(squared_jacobian_norm(x, encoder(x)), own.square().flatten(1).sum(1))


def test_the_gradient_of_the_penalty_is_right() -> None:
    weight = torch.randn(3, 4, requires_grad=True)

    def penalty(weight: torch.Tensor) -> torch.Tensor:
        x = torch.ones(2, 4, requires_grad=True)
        return squared_jacobian_norm(x, torch.tanh(x @ weight.T)).sum()

    assert torch.autograd.gradcheck(penalty, (weight,))


def test_too_few_probes_are_refused() -> None:
    x = torch.ones(1, 2, requires_grad=True)
    with pytest.raises(ValueError, match="probes must be at least 0, got -1"):
        squared_jacobian_norm(x, 2 * x, probes=-1)


def test_the_norm_of_a_code() -> None:
    z = torch.tensor([[1.0, -2.0, 0.0]])
    assert Sparsity(weight=1.0, power=2.0)(z, z, None).tolist() == [5.0]


def test_the_largest_in_absolute_value_stay() -> None:
    z = torch.randn(40, 10)
    kept = KeepLargest(3)(z)
    assert bool(((kept != 0).sum(1) == 3).all())
    left = (z - kept).abs().amax(1)  # What was dropped, the greatest of each row.
    assert bool((kept.abs().masked_fill(kept == 0, torch.inf).amin(1) >= left).all())
    assert torch.equal(kept[kept != 0], z[kept != 0])
    assert torch.equal(KeepLargest(12)(z), z)
    with pytest.raises(ValueError, match="keep must be at least 1, got 0"):
        KeepLargest(0)
