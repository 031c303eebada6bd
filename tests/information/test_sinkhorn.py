"""PD-36: entropic optimal transport."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from torch import Generator, Tensor

from ancestral.errors import DivergenceError
from ancestral.information.sinkhorn import sinkhorn

pytestmark = pytest.mark.usefixtures("float64")


def weights(n: int, generator: Generator) -> Tensor:
    w = torch.rand(n, generator=generator, dtype=torch.float64) + 0.1
    return w / w.sum()


# PD-36
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.05, 10), st.integers(0, 2**31))
def test_the_margins_are_met_and_the_plan_is_optimal(
    n: int, m: int, epsilon: float, seed: int
) -> None:
    generator = Generator().manual_seed(seed)
    cost = torch.rand(n, m, generator=generator, dtype=torch.float64)
    p, q = weights(n, generator), weights(m, generator)
    found = sinkhorn(cost, epsilon=epsilon, p=p, q=q)
    assert found.error <= 1e-9
    torch.testing.assert_close(found.plan.sum(dim=1), p, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.plan.sum(dim=0), q, rtol=0, atol=1e-6)
    # Duality: no gap between the plan's objective and the potentials'.
    entropy = (found.plan * (found.plan / (p[:, None] * q)).log()).sum()
    primal = found.cost + epsilon * entropy
    assert float(primal) == pytest.approx(float(found.source @ p + found.target @ q), abs=1e-7)


# PD-36
def test_as_epsilon_falls_the_cost_falls_to_that_of_optimal_transport(
    generator: Generator,
) -> None:
    n, m = 6, 8
    cost, p, q = torch.rand(n, m, generator=generator), weights(n, generator), weights(m, generator)
    rows = torch.kron(torch.eye(n), torch.ones(m))
    columns = torch.kron(torch.ones(n), torch.eye(m))
    exact = linprog(
        cost.flatten().numpy(),
        A_eq=torch.cat((rows, columns)).numpy(),
        b_eq=torch.cat((p, q)).numpy(),
    ).fun
    gaps = [
        float(sinkhorn(cost, epsilon=epsilon, p=p, q=q, tolerance=1e-7).cost) - exact
        for epsilon in (1.0, 0.1, 0.01, 0.002)
    ]
    assert gaps[0] > gaps[1] > gaps[2] > gaps[3] > -1e-7
    assert gaps[3] < 0.002 * math.log(n)


# PD-36
def test_on_the_line_it_is_to_sort(generator: Generator) -> None:
    x, y = (torch.randn(30, generator=generator).sort().values for _ in range(2))
    y = y + 3
    found = sinkhorn((x[:, None] - y).square(), epsilon=0.01, tolerance=1e-6)
    sorted_cost = float((x - y).square().mean())
    assert sorted_cost - 1e-5 < float(found.cost) < sorted_cost + 0.01 * math.log(30)


# PD-36
def test_the_plan_between_gaussians_has_its_closed_form() -> None:
    grid, epsilon, one, two = torch.linspace(-6, 6, 241), 0.5, 0.8, 1.3
    p, q = ((-grid.square() / (2 * s**2)).softmax(dim=0) for s in (one, two))
    found = sinkhorn((grid[:, None] - grid).square() / 2, epsilon=epsilon, p=p, q=q)
    covariance = float(grid @ found.plan @ grid)
    # Janati et al. 2020, arXiv:2006.02572, theorem 1, in one dimension.
    wanted = (math.sqrt(4 * one**2 * two**2 + epsilon**2) - epsilon) / 2
    assert covariance == pytest.approx(wanted, rel=1e-4)  # The grid ends at 4.6 deviations.


def test_points_without_weight_are_left_alone() -> None:
    p = torch.tensor([0.5, 0.5, 0.0])
    found = sinkhorn(torch.rand(3, 3), epsilon=0.1, p=p, q=p.flip(0))
    torch.testing.assert_close(found.plan.sum(dim=1), p, rtol=0, atol=1e-8)
    assert float(found.plan[2].sum() + found.plan[:, 0].sum()) == 0


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="epsilon must be finite and above 0, got 0"):
        sinkhorn(torch.zeros(2, 2), epsilon=0.0)
    with pytest.raises(ValueError, match=r"cost must be finite \[N, M\]"):
        sinkhorn(torch.tensor([[math.nan]]), epsilon=1.0)
    with pytest.raises(ValueError, match=r"p must be \[2\], got \[3\]"):
        sinkhorn(torch.zeros(2, 2), epsilon=1.0, p=torch.ones(3) / 3)
    with pytest.raises(DivergenceError, match=r"epsilon must be above 0\.001"):
        sinkhorn(torch.rand(20, 20), epsilon=0.001, tolerance=1e-12, most=3)


def test_it_stays_on_the_device_of_the_cost() -> None:
    cost = torch.rand(3, 4)
    with torch.device("meta"):  # What is made without a device fails.
        found = sinkhorn(cost, epsilon=0.5)
    assert found.plan.device == cost.device
