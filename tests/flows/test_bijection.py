"""What holds of every bijection: it goes there and back, and its volume is that of its Jacobian."""

import pytest
import torch
from tests.flows.bijections import EVERY, PLANE, made

from ancestral.flows import Composed, Flow

every = pytest.mark.parametrize("name", EVERY)


@every
def test_it_goes_there_and_back(name: str) -> None:
    shape, bijection = made(name)
    z = torch.randn(20, *shape, dtype=torch.float64)
    x, log_det = bijection.forward_and_log_det(z)
    back, log_back = bijection.inverse_and_log_det(x)
    assert x.shape == z.shape
    assert log_det.shape == log_back.shape == (20,)
    assert not torch.allclose(x, z)
    torch.testing.assert_close(back, z, rtol=0, atol=1e-6)
    torch.testing.assert_close(log_back, -log_det, rtol=0, atol=1e-6)
    torch.testing.assert_close((bijection(z), bijection.inverse(x)), (x, back))


@every
@pytest.mark.parametrize("way", ["forward_and_log_det", "inverse_and_log_det"])
def test_the_volume_is_that_of_the_jacobian_by_autograd(name: str, way: str) -> None:
    shape, bijection = made(name)
    x = torch.randn(4, *shape, dtype=torch.float64)
    size = x[0].numel()
    found = getattr(bijection, way)(x)[1]
    whole = torch.autograd.functional.jacobian(lambda v: getattr(bijection, way)(v)[0], x)
    whole = whole.reshape(4, size, 4, size)
    wanted = torch.stack([torch.linalg.slogdet(whole[i, :, i])[1] for i in range(4)])
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)
    assert all(not whole[i, :, j].any() for i in range(4) for j in range(4) if i != j)


@every
def test_every_parameter_gets_a_gradient_in_both_directions(name: str) -> None:
    shape, bijection = made(name)
    x = torch.randn(30, *shape, dtype=torch.float64)
    for way in (bijection.forward_and_log_det, bijection.inverse_and_log_det):
        y, log_det = way(x)
        total = y.square().sum() + log_det.sum()
        for gradient in torch.autograd.grad(total, list(bijection.parameters())):
            assert gradient.isfinite().all()


@pytest.mark.parametrize("name", PLANE)
def test_the_density_integrates_to_one(name: str) -> None:
    shape, bijection = made(name, moved=0.1)  # All the mass lies on the grid.
    axis = torch.linspace(-12, 12, 801, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        density = Flow(bijection, shape).double().log_prob(points).exp()
    # The trapezoid rule on a smooth density; kinks of ReLU leave about a thousandth of a cell.
    assert float(density.sum() * (axis[1] - axis[0]) ** 2) == pytest.approx(1, abs=2e-3)


def test_a_composition_needs_a_part() -> None:
    with pytest.raises(ValueError, match="at least one bijection"):
        Composed([])
