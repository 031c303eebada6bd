import numpy as np
import pytest
import torch
from torch import Tensor

from ancestral.evaluation.measures.frechet import frechet


def with_moments(n: int, mean: Tensor, root: Tensor) -> Tensor:
    """Points whose empirical mean and covariance are exactly ``mean`` and root root^T."""
    x = torch.randn(n, len(mean), dtype=torch.float64)
    x -= x.mean(dim=0)
    white = x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / n)).T
    return white @ root.T + mean


def test_closed_form_of_commuting_gaussians() -> None:
    x = with_moments(
        500, torch.zeros(3).double(), torch.diag(torch.tensor([1.0, 2.0, 3.0])).double()
    )
    y = with_moments(
        400, torch.ones(3).double(), torch.diag(torch.tensor([2.0, 2.0, 1.0])).double()
    )
    # |mu|^2 = 3 plus the squared differences of the deviations, 1 + 0 + 4.
    assert frechet(x, y).value == pytest.approx(8.0, rel=1e-10)


def test_covariances_that_do_not_commute() -> None:
    first, second = (torch.randn(4, 4, dtype=torch.float64) for _ in range(2))
    x = with_moments(300, torch.zeros(4).double(), first)
    y = with_moments(300, torch.zeros(4).double(), second)
    a, b = (first @ first.T).numpy(), (second @ second.T).numpy()
    roots = np.sqrt(np.linalg.eigvals(a @ b).real).sum()
    assert frechet(x, y).value == pytest.approx(np.trace(a + b) - 2 * roots, rel=1e-8)


def test_flat_directions_and_symmetry() -> None:
    x, y = torch.randn(50, 3, dtype=torch.float64), torch.rand(60, 3, dtype=torch.float64)
    x[:, 2], y[:, 1] = 5.0, -1.0
    there, back = frechet(x, y), frechet(y, x)
    assert there.value == pytest.approx(back.value, rel=1e-9)
    assert frechet(x + 7, y + 7).value == pytest.approx(there.value, rel=1e-9)
    assert frechet(x, x).value == pytest.approx(0.0, abs=1e-9)


def test_standard_error_is_the_spread_over_repetitions(float64: None) -> None:
    found = [frechet(torch.randn(400, 2), 1.5 * torch.randn(300, 2) + 1) for _ in range(200)]
    spread = np.std([one.value for one in found])
    # The spread of 200 repetitions is known to 5%; five of them are 25%.
    assert np.mean([one.se for one in found]) == pytest.approx(spread, rel=0.25)
