import math

import pytest
import torch
from tests.contracts.models import train
from torch import Generator, Tensor, nn
from torch.distributions import MultivariateNormal

from ancestral.capabilities import Batch
from ancestral.flows import CNF
from ancestral.networks.ode import integrate
from ancestral.nn import TimedMLP

MATRIX = torch.tensor([[0.5, -1.0], [0.8, -0.3]], dtype=torch.float64)


class Linear(nn.Module):
    """The field A z + t b."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(MATRIX.clone())

    def forward(self, z: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        assert label is None
        return z @ self.matrix.T + t[:, None] * torch.tensor([1.0, 2.0]).to(z)


def closed_form() -> MultivariateNormal:
    """The law of x: expm(A) z + the integral of expm(A (1 - s)) s b, by A^-1 twice."""
    flow = torch.linalg.matrix_exp(MATRIX)
    inverse, one = torch.linalg.inv(MATRIX), torch.eye(2, dtype=torch.float64)
    b = torch.tensor([1.0, 2.0], dtype=torch.float64)
    mean = inverse @ (inverse @ (flow - one) - one) @ b
    return MultivariateNormal(mean, flow @ flow.T)


def curved(seed: int = 0) -> TimedMLP:
    torch.manual_seed(seed)
    made = TimedMLP(2, hidden=(16, 16)).double()
    nn.init.normal_(made.output.weight, std=0.5)
    return made.requires_grad_(False)


def test_the_density_of_a_linear_field_is_its_closed_form() -> None:
    x = torch.randn(20, 2, dtype=torch.float64)
    model = CNF(Linear(), (2,)).double()
    torch.testing.assert_close(model.log_prob(x), closed_form().log_prob(x), atol=1e-4, rtol=0)
    loss = CNF(Linear(), (2,), steps=20).double().players()[0].loss(Batch(x), None)
    # Twenty steps of order 4: 1e-6 of the path.
    assert loss.total.item() == pytest.approx(-closed_form().log_prob(x).sum().item(), abs=1e-3)


def test_draws_of_a_linear_field_are_where_the_closed_form_says() -> None:
    draws = CNF(Linear(), (2,)).double().sample(4000, generator=Generator().manual_seed(0))
    law = closed_form()
    covariance = law.covariance_matrix
    error = (covariance.diagonal() / 4000).sqrt()
    assert ((draws.mean(0) - law.mean).abs() < 5 * error).all()
    assert ((draws.T.cov() - covariance).abs() < 5 * covariance.max() * math.sqrt(2 / 4000)).all()


def test_there_and_back_is_where_it_began() -> None:
    model = CNF(curved(), (2,)).double()
    z = torch.randn(20, 2, dtype=torch.float64)
    *_, x = model.walk(20, given={"z": z}, sampler="adaptive", steps=1)
    back = integrate(model.network, x, (1.0, 0.0), method="adaptive")
    assert not torch.allclose(x, z, atol=0.1)
    torch.testing.assert_close(back, z, atol=1e-4, rtol=0)


def test_the_estimated_trace_has_the_mean_of_the_exact_one() -> None:
    network, x = curved(), torch.randn(1, 2, dtype=torch.float64).expand(4000, 2)
    totals = []
    exact = CNF(network, (2,)).double().players()[0].loss(Batch(x[:1]), None).total.item()
    (player,) = CNF(network, (2,), trace="hutchinson").double().players()
    generator = Generator().manual_seed(0)
    for part in x.split(100):
        totals.append(player.loss(Batch(part), generator).total.item() / 100)
    error = torch.tensor(totals).std().item() / math.sqrt(len(totals))
    assert error > 0
    assert sum(totals) / len(totals) == pytest.approx(exact, abs=4 * error)


def test_the_gradient_is_that_of_the_closed_form() -> None:
    network = Linear().double()
    x = torch.randn(50, 2, dtype=torch.float64)
    loss = CNF(network, (2,), steps=20).double().players()[0].loss(Batch(x), None).total
    (gradient,) = torch.autograd.grad(loss, network.matrix)

    def exact(entry: float, row: int, column: int) -> float:
        with torch.no_grad():
            moved = Linear().double()
            moved.matrix[row, column] += entry
            return -CNF(moved, (2,)).double().log_prob(x).sum().item()

    for row in range(2):
        for column in range(2):
            slope = (exact(1e-3, row, column) - exact(-1e-3, row, column)) / 2e-3
            # The solver's tolerance of 1e-6 over 50 examples, divided by the step: 0.03 a step.
            assert gradient[row, column].item() == pytest.approx(slope, abs=0.3)


def test_the_energy_is_the_mean_squared_velocity() -> None:
    x = torch.randn(8, 2, dtype=torch.float64)

    class Constant(nn.Module):
        def forward(self, z: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
            del t, label
            return torch.full_like(z, 3.0)

    (player,) = CNF(Constant(), (2,), energy=1.0).double().players()
    loss = player.loss(Batch(x), None)
    assert loss.metrics["energy"].item() == pytest.approx(9)
    nats = loss.metrics["nats"].item()
    assert loss.total.item() / 8 == pytest.approx(nats + 9)


def test_training_finds_a_density_that_is_no_gaussian() -> None:
    torch.manual_seed(0)
    x = torch.cat((torch.randn(200, 1) * 0.2 - 1, torch.randn(200, 1) * 0.2 + 1))
    model = CNF(TimedMLP(1, hidden=(32,)), (1,))
    train(model.players(), Batch(x), steps=150, learning_rate=1e-2)
    with torch.no_grad():
        got = model.log_prob(x).mean().item()
    # Its best Gaussian has -1.44; the two clusters have log(1/2) + log N(0, 0.2) = -0.50.
    assert -0.9 < got < -0.3


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"trace": "guessed"}, "trace must be one of exact, hutchinson, got 'guessed'"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"energy": -1.0}, "energy must be at least 0, got -1.0"),
    ],
)
def test_settings_out_of_range_are_refused(setting: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CNF(curved(), (2,), **setting)
