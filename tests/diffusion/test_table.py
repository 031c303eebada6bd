import itertools

import pytest
import torch
from torch import Generator, Tensor
from torch.distributions import Normal

from ancestral.capabilities import Batch
from ancestral.diffusion import TableDiffusion
from ancestral.diffusion.samplers import SAMPLERS
from ancestral.errors import CapabilityError, ConfigError
from ancestral.networks.cell_scores import CellScores
from ancestral.networks.chain_elbo import chain_elbo
from ancestral.networks.noising import cosine_schedule
from ancestral.nn import TimedMLP

SIZES = (2, 3)
ALL = torch.tensor(list(itertools.product(*map(range, SIZES))))


def model(*ordered: bool, steps: int = 3) -> TableDiffusion:
    """Return a diffusion of two columns whose network says something."""
    torch.manual_seed(1)
    scores = CellScores(SIZES, ordered=ordered or (False, False))
    network = TimedMLP(scores.features, hidden=(8,))
    torch.nn.init.normal_(network.output.weight, std=0.7)
    return TableDiffusion(network, scores, schedule=cosine_schedule(steps)).double()


@torch.no_grad()
def enumerated(net: TableDiffusion) -> Tensor:
    """The exact P(x) of all rows under a chain of categories alone, [6]."""
    rows = ALL.double()
    law = net.p.first().log_prob(rows)
    for t in range(net.steps, 0, -1):
        step = net.p.next(rows, torch.full((6,), t))
        law = (law[:, None] + step.log_prob(rows[:, None]).T).logsumexp(0)
    return law


@torch.no_grad()
def integrated(net: TableDiffusion) -> Tensor:
    """The exact P(x) of all rows under one step, whose second column is a number, [6]."""
    grid = torch.linspace(-9, 9, 3001, dtype=torch.float64)
    z = torch.cartesian_prod(torch.arange(2.0, dtype=torch.float64), grid)
    first = net.p.first().log_prob(z)
    last = net.p.next(z, torch.ones(len(z), dtype=torch.int64))
    return (first + last.log_prob(ALL.double()[:, None])).logsumexp(1) + (grid[1] - grid[0]).log()


@torch.no_grad()
@pytest.mark.parametrize("ordered", [False, True], ids=["categories", "number"])
def test_the_bound_lies_below_the_enumerated_log_probability(ordered: bool) -> None:
    net = model(False, ordered, steps=1 if ordered else 3)
    exact = integrated(net) if ordered else enumerated(net)
    assert exact.exp().sum().item() == pytest.approx(1, abs=1e-6)
    n, generator = 4000, Generator().manual_seed(0)
    each = net.elbo(ALL.repeat(n, 1), generator=generator).view(n, 6)
    error = 5 * each.std(0) / n**0.5
    assert bool((each.mean(0) < exact + error).all())
    assert bool((each.mean(0) > exact - 1.5).all())  # A bound, not merely something lower.
    drawn = net.sample(20_000, generator=generator)
    shares = (drawn[:, 0] * 3 + drawn[:, 1]).bincount(minlength=6) / 20_000
    p = exact.exp()
    assert bool(((shares - p).abs() < 5 * (p * (1 - p) / 20_000).sqrt() + 1e-9).all())


@torch.no_grad()
def test_the_bound_is_unbiased_over_the_terms_that_are_drawn() -> None:
    net, n, generator = model(False, True), 4000, Generator().manual_seed(0)
    x = ALL.repeat(n, 1)
    one = net._bound(x, 1, generator).view(n, 6)
    every = chain_elbo(net.p, net.q, x.double(), generator=generator).view(n, 6)
    error = ((one.var(0) + every.var(0)) / n).sqrt()
    assert bool(((one.mean(0) - every.mean(0)).abs() < 5 * error).all())


@torch.no_grad()
def test_the_bound_of_rows_with_gaps_lies_below_that_of_what_is_known() -> None:
    net, n = model(), 4000
    exact = enumerated(net).view(2, 3).logsumexp(1)
    gone = torch.tensor([[0, -1], [1, -1]]).repeat(n, 1)
    each = net.elbo(gone, generator=Generator().manual_seed(0)).view(n, 2)
    assert bool((each.mean(0) < exact + 5 * each.std(0) / n**0.5).all())
    assert bool((each.mean(0) > exact - 2).all())


@torch.no_grad()
def test_a_network_that_says_nothing_leaves_independent_columns() -> None:
    net, n = model(False, True, steps=4000), 2000
    torch.nn.init.zeros_(net.denoiser.network.output.weight)
    net.scores.fit(ALL[torch.tensor([0, 0, 0, 1, 4, 4, 5])])
    sigma, level = torch.tensor([0.8], dtype=torch.float64), 1 / 1.64**0.5
    law = net.denoiser(torch.tensor([[0.3]]).double(), torch.tensor([[1]]), sigma)[0]
    # By Bayes' rule: the shares of seven rows and one more a cell, and what each noise tells.
    number = (
        torch.tensor([0.4, 0.4, 0.2])
        * Normal(level * net.scores.scores, 0.8 * level).log_prob(torch.tensor(0.3)).exp()
    )
    other = torch.tensor([5.0, 4.0]) * torch.tensor([0.64 / 2, 1 + 0.64 / 2])
    wanted = torch.cat((number / number.sum(), other / other.sum()))
    torch.testing.assert_close(law, wanted.double(), atol=1e-6, rtol=0)
    each = net.elbo(ALL.repeat(n, 1), generator=Generator().manual_seed(0)).view(n, 6)
    shares = torch.tensor([5 / 9, 4 / 9])[:, None] * torch.tensor([0.4, 0.4, 0.2])
    error = 5 * each.std(0) / n**0.5
    assert bool(((each.mean(0) - shares.log().flatten()).abs() < error + 0.01).all())


@torch.no_grad()
def test_the_last_step_draws_cells_by_their_laws() -> None:
    net = model(False, True)
    z = torch.tensor([[1.0, 0.3]], dtype=torch.float64)
    row = net.p.step(z, torch.tensor([1]))
    assert row.cells is not None
    p = row.log_prob(ALL.double()[:, None])[:, 0].exp().view(2, 3)
    torch.testing.assert_close(p.sum(0), row.cells[0])
    assert p.sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("ordered", [(False, False), (False, True), (True, True)])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_draws_rows_of_cells(sampler: str, ordered: tuple[bool, bool]) -> None:
    net = model(*ordered)
    states = [*net.walk(7, steps=3, sampler=sampler, generator=Generator().manual_seed(0))]
    assert len(states) == 4
    for state in states:
        assert state.dtype == torch.int64
        assert bool(((state >= 0) & (state < torch.tensor(SIZES))).all())


def test_walks_and_the_chain_learn_one_law() -> None:
    torch.manual_seed(0)
    scores = CellScores(SIZES, ordered=(False, True))
    network, schedule = TimedMLP(scores.features, hidden=(64,)), cosine_schedule(200)
    net = TableDiffusion(network, scores, schedule=schedule)
    generator = Generator().manual_seed(0)
    p = torch.tensor([0.3, 0.05, 0.05, 0.05, 0.05, 0.5])
    x = ALL[p.multinomial(256, replacement=True, generator=generator)]
    scores.fit(x)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 400)
    (player,) = net.players()
    for _ in range(400):
        optimiser.zero_grad()
        rows = x[torch.randperm(256, generator=generator)]
        loss = player.loss(Batch(rows), generator)
        (loss.total / loss.weight).backward()
        optimiser.step()
        falling.step()
    law = ((ALL[:, None] == x).all(2).double().mean(1) + 1e-9).log()
    with torch.no_grad():
        bound = net.elbo(x, draws=4, generator=generator).mean().item()
        *_, walked = net.walk(4000, generator=generator)
    # The most there is, and what independent columns would reach, a mutual information below.
    most, table = (law.exp() * law).sum(), law.exp().view(2, 3)
    alone = (table * (table.sum(0) * table.sum(1)[:, None]).log()).sum()
    assert alone + (most - alone) / 2 < bound < most + 0.05
    shares = (ALL[:, None] == walked).all(2).double().mean(1)
    assert (shares - law.exp()).abs().sum().item() < 0.15


@pytest.mark.parametrize("weighting", ["cross-entropy", "bound"])
@pytest.mark.parametrize("ordered", [(False, False), (False, True), (True, True)])
def test_every_parameter_learns_also_from_rows_with_gaps(
    weighting: str, ordered: tuple[bool, bool]
) -> None:
    net = model(*ordered)
    net.weighting = weighting
    (player,) = net.players()
    loss = player.loss(Batch(torch.cat((ALL, torch.tensor([[0, -1]])))), Generator().manual_seed(0))
    assert loss.weight == 7
    loss.total.backward()
    for name, parameter in net.denoiser.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert bool(parameter.grad.any()), name


def test_bad_input_is_refused() -> None:
    net = model()
    with pytest.raises(ValueError, match="column 2 must hold cells 0 to 2, or -1"):
        net.elbo(torch.tensor([[0, 3]]))
    with pytest.raises(CapabilityError, match="cannot be conditioned on 'label'"):
        net.sample(2, given={"label": torch.tensor(0)})
    with pytest.raises(ConfigError, match="guidance is of models that are given labels"):
        next(net.walk(2, guidance=2.0))
    with pytest.raises(ValueError, match="weighting must be bound or cross-entropy, got 'most'"):
        TableDiffusion(net.denoiser.network, net.scores, weighting="most")
