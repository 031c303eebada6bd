import itertools

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.distributions import Normal

from ancestral.capabilities import Batch
from ancestral.errors import CapabilityError, ConfigError
from ancestral.flows import TableFlowMatching
from ancestral.flows.flow_matching import PATHS, Path
from ancestral.networks.cell_scores import CellScores
from ancestral.networks.ode import SOLVERS
from ancestral.nn import TimedMLP

SIZES = (2, 3)
ALL = torch.tensor(list(itertools.product(*map(range, SIZES))))
JOINT = torch.tensor([0.3, 0.04, 0.06, 0.05, 0.05, 0.5], dtype=torch.float64)
"""P(x) of all rows, by which the columns are dependent."""


def counted(*ordered: bool) -> CellScores:
    """Return scores whose shares are nearly those of the law."""
    scores = CellScores(SIZES, ordered=ordered).double()
    scores.fit(ALL.repeat_interleave((JOINT * 1e5).long(), dim=0))
    return scores


class Exact(nn.Module):
    """The network that has learned the law: what it sees of a column gives the other's cells."""

    def __init__(self, scores: CellScores) -> None:
        super().__init__()
        self.scores = scores

    def forward(self, law: Tensor, _time: Tensor) -> Tensor:
        table, shares = JOINT.view(SIZES), self.scores.log_shares.exp()
        at = [self.scores.at(*self.scores.split(ALL))[:, n].unique() for n in self._order()]
        first, second = ((law / shares)[:, cells] for cells in at)
        of_first = (second @ table.T) / shares[at[0]]
        of_second = (first @ table) / shares[at[1]]
        found = torch.zeros_like(law)
        found[:, at[0]], found[:, at[1]] = of_first.log(), of_second.log()
        return found

    def _order(self) -> tuple[int, int]:
        """Return where the first and the second column stand among the columns as they are kept."""
        return (1, 0) if self.scores.lengths == (3,) else (0, 1)


def exact(*ordered: bool, path: Path = "straight") -> TableFlowMatching:
    scores = counted(*ordered)
    return TableFlowMatching(Exact(scores), scores, path=path).double()


def small(*ordered: bool) -> TableFlowMatching:
    """Return a model whose network says something."""
    torch.manual_seed(1)
    scores = CellScores(SIZES, ordered=ordered)
    network = TimedMLP(scores.features, hidden=(8,))
    nn.init.normal_(network.output.weight, std=0.7)
    return TableFlowMatching(network, scores)


@torch.no_grad()
@pytest.mark.parametrize("path", ["straight", "preserving"])
@pytest.mark.parametrize("ordered", [(False, False), (False, True), (True, True)])
def test_the_velocity_of_exact_laws_is_the_mean_over_all_rows(
    ordered: tuple[bool, bool], path: Path
) -> None:
    model, scores = exact(*ordered, path=path), counted(*ordered)
    numbers, others = scores.split(ALL)
    x = torch.cat((scores.score(numbers), scores.one_hot(others)), dim=1)
    z = torch.randn(4, x.shape[1], dtype=torch.float64, generator=Generator().manual_seed(0))
    t = torch.tensor([0.0, 0.3, 0.6, 0.9], dtype=torch.float64)
    level = PATHS[path](t)
    assert level.alpha_rate is not None
    assert level.sigma_rate is not None
    mean, deviation = level.alpha[:, None, None] * x, level.sigma[:, None, None]
    p = (JOINT.log() + Normal(mean, deviation).log_prob(z[:, None]).sum(-1)).softmax(-1)
    noise = (z[:, None] - mean) / deviation
    of_each = level.alpha_rate[:, None, None] * x + level.sigma_rate[:, None, None] * noise
    wanted = (p[:, :, None] * of_each).sum(1)
    torch.testing.assert_close(model.velocity(z, t), wanted, atol=2e-3, rtol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("ordered", [(False, False), (False, True), (True, True)])
def test_draws_by_exact_laws_have_the_law(ordered: tuple[bool, bool]) -> None:
    n = 20_000
    *_, x = exact(*ordered).walk(n, steps=25, generator=Generator().manual_seed(0))
    shares = (x[:, 0] * 3 + x[:, 1]).bincount(minlength=6) / n
    assert bool(((shares - JOINT).abs() < 5 * (JOINT * (1 - JOINT) / n).sqrt()).all())


@torch.no_grad()
def test_a_network_that_says_nothing_leaves_independent_columns() -> None:
    scores, n = counted(False, True), 20_000
    model = TableFlowMatching(TimedMLP(scores.features, hidden=(8,)), scores).double()
    x = model.sample(n, generator=Generator().manual_seed(0))
    table = JOINT.view(SIZES)
    alone = (table.sum(1)[:, None] * table.sum(0)).flatten()
    shares = (x[:, 0] * 3 + x[:, 1]).bincount(minlength=6) / n
    assert bool(((shares - alone).abs() < 5 * (alone * (1 - alone) / n).sqrt()).all())


def test_training_lowers_the_cross_entropy_to_that_of_the_exact_laws() -> None:
    torch.manual_seed(0)
    scores, generator = counted(False, True).float(), Generator().manual_seed(0)
    model = TableFlowMatching(TimedMLP(scores.features, hidden=(32,)), scores)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 300)
    (player,), best = model.players(), exact(False, True)
    losses = []
    for _ in range(300):
        batch = Batch(ALL[JOINT.multinomial(256, replacement=True, generator=generator)])
        optimiser.zero_grad()
        loss = player.loss(batch, generator)
        (loss.total / loss.weight).backward()
        optimiser.step()
        falling.step()
    batch = Batch(ALL[JOINT.multinomial(50_000, replacement=True, generator=generator)])
    with torch.no_grad():
        for own in (model, best, TableFlowMatching(TimedMLP(5, hidden=(8,)), scores)):
            (player,) = own.players()
            loss = player.loss(batch, Generator().manual_seed(0))
            losses.append((loss.total / loss.weight).item())
    learned, least, independent = losses
    assert independent - least > 0.02
    assert learned - least < 0.1 * (independent - least)


@pytest.mark.parametrize("ordered", [(False, False), (False, True), (True, True)])
@pytest.mark.parametrize("sampler", SOLVERS)
def test_every_solver_draws_rows_of_cells(sampler: str, ordered: tuple[bool, bool]) -> None:
    for steps in (1, 3):
        generator = Generator().manual_seed(0)
        states = [*small(*ordered).walk(7, steps=steps, sampler=sampler, generator=generator)]
        assert len(states) == steps + 1
        for state in states:
            assert state.dtype == torch.int64
            assert bool(((state >= 0) & (state < torch.tensor(SIZES))).all())


@pytest.mark.parametrize("ordered", [(False, False), (False, True), (True, True)])
def test_every_parameter_learns_also_from_rows_with_gaps(ordered: tuple[bool, bool]) -> None:
    model = small(*ordered)
    (player,) = model.players()
    loss = player.loss(Batch(torch.cat((ALL, torch.tensor([[0, -1]])))), Generator().manual_seed(0))
    assert loss.weight == 7
    loss.total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert bool(parameter.grad.any()), name


def test_bad_input_is_refused() -> None:
    model = small(False, True)
    (player,) = model.players()
    with pytest.raises(ValueError, match="column 2 must hold cells 0 to 2, or -1"):
        player.loss(Batch(torch.tensor([[0, 3]])), None)
    with pytest.raises(CapabilityError, match="cannot be conditioned on 'label'"):
        model.sample(2, given={"label": torch.tensor(0)})
    with pytest.raises(ConfigError, match="guidance is of models that are given labels"):
        next(model.walk(2, guidance=2.0))
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        next(model.walk(2, steps=0))
    with pytest.raises(ValueError, match="path must be one of straight, preserving, got 'bent'"):
        TableFlowMatching(model.network, model.scores, path="bent")
