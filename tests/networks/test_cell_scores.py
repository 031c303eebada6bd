import itertools

import pytest
import torch
from torch.distributions import Normal

from ancestral.networks.cell_scores import CellScores

SIZES, ORDERED = (2, 4, 3, 1), (False, True, True, True)
ALL = torch.tensor(list(itertools.product(*map(range, SIZES))))


def test_rows_come_back_from_their_vectors_and_from_what_is_near() -> None:
    scores = CellScores(SIZES, ordered=ORDERED)
    vectors = scores(ALL)
    assert vectors.shape == (24, scores.features)
    assert torch.equal(scores.cells(vectors), ALL)
    assert torch.equal(scores.cells(vectors + 0.1 * torch.sin(torch.arange(24.0))[:, None]), ALL)
    numbers, others = scores.split(ALL)
    assert numbers.shape == others.shape == (24, 2)  # A single cell is no number.
    assert torch.equal(scores.join(numbers, others), ALL)


def test_scores_are_standardised_normal_quantiles_of_the_counts() -> None:
    scores = CellScores([3], ordered=[True]).double()
    x = torch.tensor([0] * 9 + [1] * 4 + [2] * 4 + [-1] * 3)[:, None]  # One row more of each.
    scores.fit(x)
    share = torch.tensor([10, 5, 5], dtype=torch.float64) / 20
    middle = torch.tensor([0.25, 0.625, 0.875], dtype=torch.float64)
    raw = Normal(torch.zeros((), dtype=torch.float64), 1.0).icdf(middle)
    centred = raw - share @ raw
    torch.testing.assert_close(
        scores.scores[0], centred / (share @ centred.square()).sqrt(), atol=1e-6, rtol=0
    )
    low, high = scores.ends(torch.tensor([[0], [1], [2]]))
    assert torch.equal(low[1:], high[:-1])
    assert bool((low < scores.scores.T).all() & (high > scores.scores.T).all())


def test_the_expected_score_is_the_sum_over_the_masses_of_the_cells() -> None:
    scores = CellScores([4, 3], ordered=[True, True]).double()
    mean, std = torch.tensor([[0.3, -0.2]], dtype=torch.float64), torch.tensor([[0.4]])
    total = torch.zeros(2, dtype=torch.float64)
    for cell in range(4):
        at = torch.tensor([[cell, min(cell, 2)]])
        low, high = scores.ends(at)
        mass = Normal(mean, std).cdf(high) - Normal(mean, std).cdf(low)
        mass[0, 1] *= cell < 3
        total += (mass * scores.score(at))[0]
    torch.testing.assert_close(scores.expected(mean, std)[0], total)
    near = scores.expected(scores(ALL[:1, :2]) + 0.01, torch.full((1, 1), 1e-3))
    torch.testing.assert_close(near, scores(ALL[:1, :2]).double())


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="ordered one for each"):
        CellScores([2, 3], ordered=[True])
    with pytest.raises(ValueError, match="column 1 must hold cells 0 to 1"):
        CellScores([2]).fit(torch.tensor([[2]]))
