"""PD-02 and PD-05: restricted Boltzmann machines against enumeration."""

import copy
import itertools
import math

import pytest
import torch
from torch import Generator, Tensor

from ancestral.capabilities import Batch
from ancestral.energy import RBM, SmallRBM
from ancestral.errors import CapabilityError

pytestmark = pytest.mark.usefixtures("float64")

SIZES = (2, 3, 2, 4)
STATES = torch.cartesian_prod(*map(torch.arange, SIZES))


def wild(model: RBM | SmallRBM) -> RBM | SmallRBM:
    """Return the machine far from independence."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    return model


def energy(model: RBM | SmallRBM, v: tuple[int, ...], h: tuple[int, ...]) -> float:
    """Return E(v, h), term by term."""
    most, bits = max(SIZES), torch.tensor(h, dtype=torch.float64)
    total = -float(model.hidden_bias @ bits)
    for column, state in enumerate(v):
        total -= float(model.visible_bias[column, state])
        total -= float(model.weight[column * most + state] @ bits)
    return total


def enumerated(model: RBM | SmallRBM) -> Tensor:
    """Return p(v) of all states by the sum over all pairs (v, h)."""
    masses = [
        sum(
            math.exp(-energy(model, tuple(v), h))
            for h in itertools.product((0, 1), repeat=model.hidden)
        )
        for v in STATES.tolist()
    ]
    found = torch.tensor(masses)
    return found / found.sum()


# PD-02
@torch.no_grad()
def test_the_likelihood_is_that_of_enumeration() -> None:
    model = wild(SmallRBM(SIZES, hidden=3))
    found = model.log_prob(STATES)
    torch.testing.assert_close(found.exp(), enumerated(model), rtol=1e-11, atol=1e-14)
    assert float(found.exp().sum()) == pytest.approx(1, abs=1e-12)


# PD-02
@torch.no_grad()
def test_the_estimate_of_the_normaliser_is_within_its_error_of_the_exact_one(
    generator: Generator,
) -> None:
    small, large = wild(SmallRBM(SIZES, hidden=6)), RBM(SIZES, hidden=6)
    large.load_state_dict(small.state_dict())
    found = large.estimate_log_normaliser(draws=400, levels=200, generator=generator)
    assert found.kind == "estimate"
    assert 0 < float(found.se) < 0.1
    assert abs(float(found) - float(small.log_normaliser())) < 4 * float(found.se)


# PD-04
@torch.no_grad()
def test_a_step_of_gibbs_leaves_the_law_as_it_is() -> None:
    model = wild(SmallRBM(SIZES, hidden=3))
    p = model.log_prob(STATES).exp()
    bits = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)))
    up = model.hidden_given(STATES)
    p_h = torch.stack([up.log_prob(h).sum(dim=1).exp() for h in bits], dim=1)
    down = model.visible_given(bits)
    p_v = torch.stack([down.log_prob(v).sum(dim=1).exp() for v in STATES], dim=1)
    kernel = p_h @ p_v
    torch.testing.assert_close(kernel.sum(dim=1), torch.ones(len(p)), rtol=0, atol=1e-12)
    torch.testing.assert_close(p @ kernel, p, rtol=0, atol=1e-12)
    flow = p[:, None] * kernel
    torch.testing.assert_close(flow, flow.T, rtol=0, atol=1e-12)


def shares(draws: Tensor) -> Tensor:
    place = torch.zeros(len(draws), dtype=torch.long)
    for column, size in enumerate(SIZES):
        place = place * size + draws[:, column]
    return place.bincount(minlength=len(STATES)) / len(draws)


@torch.no_grad()
def test_draws_have_the_law(generator: Generator) -> None:
    small, large = wild(SmallRBM(SIZES, hidden=3)), RBM(SIZES, hidden=3)
    large.load_state_dict(small.state_dict())
    p = small.log_prob(STATES).exp()
    error = (p * (1 - p) / 20_000).sqrt()
    assert bool(((shares(small.sample(20_000, generator=generator)) - p).abs() < 5 * error).all())
    # Chains that start from 1000 states: independent of each other only after their steps.
    walked = large.sample(20_000, steps=100, generator=generator)
    assert bool(((shares(walked) - p).abs() < 5 * error + 1e-3).all())


# PD-05
def test_the_exact_gradient_is_the_contrast_of_free_energies() -> None:
    model = wild(SmallRBM(SIZES, hidden=3))
    data = STATES[[0, 5, 17, 30]]
    parameters = list(model.parameters())
    exact = torch.autograd.grad(-model.log_prob(data).mean(), parameters)
    p = model.log_prob(STATES).exp().detach()
    contrast = model.free_energy(data).mean() - p @ model.free_energy(STATES)
    found = torch.autograd.grad(contrast, parameters)
    for one, two in zip(exact, found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-12)


def rows(n: int, generator: Generator) -> Tensor:
    """Columns that follow the first, each but for one row in five."""
    first = torch.randint(2, (n, 1), generator=generator)
    x = torch.cat((first, 2 * first, first, first + 2), dim=1)
    strange = torch.rand(x.shape, generator=generator) < 0.2
    return torch.where(strange, STATES[torch.randint(len(STATES), (n,), generator=generator)], x)


# PD-02
@pytest.mark.parametrize("persistent", [True, False])
def test_the_exact_likelihood_rises_under_contrastive_divergence(
    persistent: bool, generator: Generator
) -> None:
    model = SmallRBM(SIZES, hidden=4, persistent=persistent, chains=500, steps=2)
    (player,) = model.players()
    x = rows(500, generator)
    optimizer = torch.optim.Adam(model.parameters())
    values = []
    for step in range(301):
        if step % 100 == 0:
            values.append(float(model.log_prob(x).mean().detach()))
        optimizer.param_groups[0]["lr"] = 2e-2 * (1 - step / 301)
        loss = player.loss(Batch(x), generator)
        optimizer.zero_grad()
        (loss.total / loss.weight).backward()
        optimizer.step()
    # The chains' noise moves it up and down by some hundredths.
    assert values[0] + 0.2 < values[1] < values[3] + 0.05
    # Between independent columns and the frequencies of the rows themselves.
    counts = shares(x)
    bound = float((counts * counts.clamp_min(1e-9).log()).sum())
    alone = sum(
        float((p * p.clamp_min(1e-9).log()).sum())
        for p in (x[:, column].bincount() / len(x) for column in range(len(SIZES)))
    )
    assert alone + 0.6 * (bound - alone) < values[-1] < bound


def test_the_chains_are_state() -> None:
    one = SmallRBM(SIZES, hidden=3, chains=20)
    two = copy.deepcopy(one)
    x = rows(30, Generator().manual_seed(0))
    one.players()[0].loss(Batch(x), Generator().manual_seed(1))
    assert not torch.equal(one.chains.states, two.chains.states)
    two.load_state_dict(one.state_dict())
    losses = [m.players()[0].loss(Batch(x), Generator().manual_seed(2)).total for m in (one, two)]
    assert torch.equal(*losses)
    assert torch.equal(one.chains.states, two.chains.states)


def test_what_it_is_and_what_it_is_not() -> None:
    assert not hasattr(RBM(SIZES), "log_prob")
    assert dict(RBM(SIZES).graph) == {}
    for model in (RBM(SIZES), SmallRBM(SIZES)):
        with pytest.raises(CapabilityError, match="unconditional"):
            model.sample(2, given={"label": torch.tensor(0)})
    with pytest.raises(ValueError, match="hidden must be at most 16, got 17"):
        SmallRBM(SIZES, hidden=17)
    with pytest.raises(ValueError, match="sizes must be numbers of at least 1"):
        RBM([])
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        RBM(SIZES, steps=0)
