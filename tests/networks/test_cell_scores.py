import itertools

import pytest
import torch
from torch.distributions import Normal

from ancestral.networks.cell_scores import CellScores

SIZES, ORDERED = (2, 4, 3, 1), (False, True, True, True)
ALL = torch.tensor(list(itertools.product(*map(range, SIZES))))


def test_rows_come_back_from_their_parts_and_from_what_is_near() -> None:
    scores = CellScores(SIZES, ordered=ORDERED)
    numbers, others = scores.split(ALL)
    assert numbers.shape == others.shape == (24, 2)  # A single cell is no number.
    assert torch.equal(scores.join(numbers, others), ALL)
    near = scores.score(numbers) + 0.1 * torch.sin(torch.arange(24.0))[:, None]
    assert torch.equal(scores.nearest(near), numbers)
    at = scores.at(numbers, others)
    assert at.unique().tolist() == [*range(scores.features)]


def test_scores_are_standardised_normal_quantiles_of_the_counts() -> None:
    scores = CellScores([3], ordered=[True]).double()
    x = torch.tensor([0] * 9 + [1] * 4 + [2] * 4 + [-1] * 3)[:, None]  # One row more of each.
    scores.fit(x)
    share = torch.tensor([10, 5, 5], dtype=torch.float64) / 20
    middle = torch.tensor([0.25, 0.625, 0.875], dtype=torch.float64)
    raw = Normal(torch.zeros((), dtype=torch.float64), 1.0).icdf(middle)
    centred = raw - share @ raw
    wanted = centred / (share @ centred.square()).sqrt()
    torch.testing.assert_close(scores.scores, wanted, atol=1e-6, rtol=0)
    torch.testing.assert_close(scores.law(torch.zeros(3)), share)
    mean, variance = scores.moments(scores.law(torch.zeros(1, 3)))
    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-6, rtol=0)
    torch.testing.assert_close(variance, torch.ones_like(mean))
    torch.testing.assert_close(scores.entropies, -(share * share.log()).sum()[None])


@torch.no_grad()
def test_draws_have_the_shares() -> None:
    scores, n = CellScores(SIZES, ordered=ORDERED), 20_000
    scores.fit(ALL[:7])
    drawn = scores.draw(n, torch.Generator().manual_seed(0))
    p = scores.log_shares.exp()[:4]
    shares = drawn[:, 1].bincount(minlength=4) / n
    assert bool(((shares - p).abs() < 5 * (p * (1 - p) / n).sqrt()).all())


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="ordered one for each"):
        CellScores([2, 3], ordered=[True])
    with pytest.raises(ValueError, match="column 1 must hold cells 0 to 1"):
        CellScores([2]).fit(torch.tensor([[2]]))
