"""PD-05: contrastive divergence and noise-contrastive estimation."""

import copy
import math

import pytest
import torch
from torch import Generator, Tensor

from ancestral.capabilities import Batch
from ancestral.energy import (
    EBM,
    Energy,
    MarkovField,
    NoiseContrastive,
    PersistentEBM,
    contrastive_loss,
    vector_network,
)
from ancestral.errors import CapabilityError

pytestmark = pytest.mark.usefixtures("float64")


# PD-05
def test_the_gradient_of_the_likelihood_is_that_of_the_contrast() -> None:
    cliques = [(0, 1), (1, 2), (0, 2)]
    tables = [torch.randn(2, 2).requires_grad_() for _ in cliques]
    field = MarkovField(cliques, tables)
    data = torch.tensor([[0, 1, 1], [1, 1, 1], [0, 0, 1], [0, 1, 0]])
    states = torch.cartesian_prod(*[torch.arange(2)] * 3)
    # Each state as often as the model says: the mean over draws, without its noise.
    probabilities = field.table().detach().flatten()
    of_model = -8 * probabilities * field.log_potential(states)
    contrast = contrastive_loss(-field.log_potential(data), of_model)
    found = torch.autograd.grad(contrast, tables)
    for table, gradient in zip(tables, found, strict=True):
        for place in ((0, 0), (0, 1), (1, 1)):
            values = []
            for step in (1e-5, -1e-5):
                moved = [t.detach().clone() for t in tables]
                moved[[t is table for t in tables].index(True)][place] += step
                values.append(-MarkovField(cliques, moved).log_prob(data).mean())
            slope = float(values[0] - values[1]) / 2e-5
            assert float(gradient[place]) == pytest.approx(slope, abs=1e-8)


def two_modes(n: int, generator: Generator) -> Tensor:
    signs = (torch.rand(n, 1, generator=generator) < 0.3).double() * 2 - 1
    return 0.8 * signs + 0.4 * torch.randn(n, 1, generator=generator)


def trained(model: EBM | PersistentEBM, x: Tensor, steps: int, generator: Generator) -> None:
    (player,) = model.players()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / steps)
        rows = torch.randint(len(x), (256,), generator=generator)
        loss = player.loss(Batch(x[rows]), generator)
        optimizer.zero_grad()
        (loss.total / loss.weight).backward()
        optimizer.step()


def normalised(energy: Energy, grid: Tensor) -> Tensor:
    density = energy.log_density(grid).detach().exp()
    return density / torch.trapezoid(density, grid[:, 0])


def truth(grid: Tensor) -> Tensor:
    parts = [
        weight * torch.distributions.Normal(mean, 0.4).log_prob(grid[:, 0]).exp()
        for weight, mean in ((0.3, 0.8), (0.7, -0.8))
    ]
    return parts[0] + parts[1]


GRID = torch.linspace(-4, 4, 2001, dtype=torch.float64)[:, None]


# PD-05
def test_contrastive_divergence_finds_the_law(generator: Generator) -> None:
    energy = Energy(vector_network(1, hidden=(32, 32)), (1,))
    model = PersistentEBM(energy, chains=1000, steps=10, step_size=0.05, penalty=0.0)
    trained(model, two_modes(5000, generator), 500, generator)
    gap = (normalised(energy, GRID) - truth(GRID)).abs()
    # Total variation: half the integral. The base alone is at 0.5.
    assert float(torch.trapezoid(gap, GRID[:, 0])) / 2 < 0.12
    draws = model.sample(1000, generator=generator)
    assert float((draws > 0).double().mean()) == pytest.approx(0.3, abs=0.1)


def test_noise_contrastive_estimation_finds_the_law_and_its_normaliser(
    generator: Generator,
) -> None:
    energy = Energy(vector_network(1, hidden=(32, 32)), (1,))
    objective = NoiseContrastive(ratio=4)
    model = EBM(energy, objective)
    trained(model, two_modes(5000, generator), 600, generator)
    gap = (normalised(energy, GRID) - truth(GRID)).abs()
    assert float(torch.trapezoid(gap, GRID[:, 0])) / 2 < 0.05
    density = energy.log_density(GRID).detach().exp()
    log_z = float(torch.trapezoid(density, GRID[:, 0]).log())
    learned = float(objective.log_ratio.detach()) + energy.log_normaliser_of_base
    assert learned == pytest.approx(log_z, abs=0.05)
    draws = model.sample(4000, generator=generator)
    # Its own law: 4000 draws that depend on each other a little, three times their binomial error.
    share = torch.trapezoid(normalised(energy, GRID)[GRID[:, 0] > 0], GRID[GRID[:, 0] > 0, 0])
    assert float((draws > 0).double().mean()) == pytest.approx(
        float(share), abs=15 * math.sqrt(0.21 / 4000)
    )


def test_the_loss_of_noise_contrast_is_a_cross_entropy_with_known_optimum(
    generator: Generator,
) -> None:
    class Shift(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            return self.weight * x  # log Normal(x; 1, 1) - log Normal(x; 0, 1) = x - 1/2.

    energy, objective = Energy(Shift(), (1,)), NoiseContrastive(ratio=3)
    objective.log_ratio.data.fill_(0.5)
    x = 1 + torch.randn(20_000, 1, generator=generator)
    objective(energy, x, generator).mean().backward()
    slope = objective.log_ratio.grad
    assert slope is not None
    # Zero in the mean; a term is below 1 in size, so that the error is below 1 / sqrt(20,000).
    assert abs(float(slope)) < 5 / math.sqrt(20_000)


def test_the_chains_are_state_so_that_training_goes_on_where_it_was() -> None:
    torch.manual_seed(0)
    energy = Energy(vector_network(1, hidden=(8,)), (1,))
    one = PersistentEBM(energy, chains=50, steps=3)
    x = two_modes(100, Generator().manual_seed(0))
    trained(one, x, 3, Generator().manual_seed(1))
    two = copy.deepcopy(one)
    two.chains.states.zero_()
    two.load_state_dict(one.state_dict())
    for model in (one, two):
        trained(model, x, 3, Generator().manual_seed(2))
    for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_chains_move_in_training_only() -> None:
    model = PersistentEBM(Energy(vector_network(1, hidden=(8,)), (1,)), chains=50, steps=3)
    (player,) = model.players()
    before = model.chains.states.clone()
    model.eval()
    player.loss(Batch(torch.zeros(10, 1)), None)
    assert torch.equal(model.chains.states, before)
    model.train()
    player.loss(Batch(torch.zeros(10, 1)), None)
    moved = (model.chains.states != before).any(dim=1)
    assert int(moved.sum()) == 10


def test_mistakes_are_named() -> None:
    energy = Energy(vector_network(1, hidden=(8,)), (1,))
    models = [EBM(energy, NoiseContrastive()), PersistentEBM(energy, chains=10)]
    for model in models:
        with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
            model.sample(3, steps=0)
        with pytest.raises(CapabilityError, match="unconditional"):
            model.sample(3, given={"label": torch.tensor(0)})
        assert dict(model.graph) == {}
        assert not hasattr(model, "log_prob")
    with pytest.raises(ValueError, match="ratio must be at least 1, got 0"):
        NoiseContrastive(ratio=0)
    with pytest.raises(ValueError, match="step_size must be above 0, got 0"):
        PersistentEBM(energy, step_size=0.0)
