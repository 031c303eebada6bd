"""ML-02, ML-07, ML-08, and that every closed form is a maximum."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.distributions import (
    Bernoulli,
    Categorical,
    Exponential,
    MultivariateNormal,
    Normal,
    Poisson,
)

from ancestral.errors import DataError
from ancestral.estimation import (
    fit_bernoulli,
    fit_categorical,
    fit_exponential,
    fit_multivariate_normal,
    fit_normal,
    fit_poisson,
    log_likelihood,
)
from ancestral.information import check_simplex


def t(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


# ML-02
@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 30))
def test_outputs_obey_their_constraints_whatever_the_weights(seed: int, size: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights = size * torch.randn(5, 3, generator=generator)
    out = torch.randn(20, 3, generator=generator) @ weights.T
    check_simplex(out.softmax(dim=-1))
    assert bool(((out.sigmoid() >= 0) & (out.sigmoid() <= 1)).all())
    assert bool((out.tanh().abs() <= 1).all())
    assert bool((nn.functional.relu(out) >= 0).all())
    assert bool(nn.functional.softplus(out).ge(0).all())


# ML-07
def test_normal_equals_the_numeric_optimum() -> None:
    x = 2 + 3 * torch.randn(40, dtype=torch.float64)
    parameters = [t(0.0).requires_grad_(), t(0.0).requires_grad_()]
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=200,
        tolerance_grad=1e-12,
        tolerance_change=1e-16,
        line_search_fn="strong_wolfe",
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = -log_likelihood(Normal(parameters[0], parameters[1].exp()), x)
        value.backward()
        return value

    optimizer.step(loss)
    law = fit_normal(x)
    assert law.loc.item() == pytest.approx(parameters[0].item(), abs=1e-6)
    assert law.scale.item() == pytest.approx(parameters[1].exp().item(), abs=1e-6)


# ML-07
def test_the_divisor_is_the_number_of_examples() -> None:
    law = fit_normal(t([[1.0, 0.0], [3.0, 4.0]]))
    assert law.variance.tolist() == [1.0, 4.0]
    rows = torch.randn(30, 3, dtype=torch.float64)
    wide = fit_multivariate_normal(rows)
    torch.testing.assert_close(wide.covariance_matrix, rows.T.cov(correction=0))


# ML-08
def test_bernoulli_equals_the_numeric_optimum_and_its_ends() -> None:
    x = t([1, 0, 0, 1, 1, 1, 0, 1])
    grid = torch.linspace(0, 1, 10_001, dtype=torch.float64)[1:-1]
    likelihood = log_likelihood(Bernoulli(grid), x[:, None])
    assert fit_bernoulli(x).probs.item() == pytest.approx(
        grid[likelihood.argmax()].item(), abs=1e-4
    )
    certain = fit_bernoulli(torch.ones(5))
    assert certain.probs.item() == 1.0
    assert bool(log_likelihood(certain, torch.ones(5)).isfinite())
    assert fit_bernoulli(torch.zeros(5, dtype=torch.bool)).probs.item() == 0.0


def test_every_closed_form_beats_its_neighbours() -> None:
    x = torch.rand(50, dtype=torch.float64)
    counts = torch.randint(0, 7, (50,)).double()
    states = torch.randint(0, 4, (50,))
    rows = torch.randn(50, 2, dtype=torch.float64)
    p = fit_categorical(states, 4).probs
    wide = fit_multivariate_normal(rows)
    for _ in range(20):
        factor = (0.1 * torch.randn((), dtype=torch.float64)).exp()
        rate, mean = fit_exponential(x).rate, fit_poisson(counts).rate
        assert log_likelihood(Exponential(rate), x) >= log_likelihood(Exponential(factor * rate), x)
        assert log_likelihood(Poisson(mean), counts) >= log_likelihood(
            Poisson(factor * mean), counts
        )
        other = Categorical(p * (0.1 * torch.randn(4, dtype=torch.float64)).exp())
        assert log_likelihood(Categorical(p), states) >= log_likelihood(other, states)
        tril = wide.scale_tril + 0.05 * torch.randn(2, 2, dtype=torch.float64).tril()
        moved = MultivariateNormal(wide.loc + 0.05 * torch.randn(2), scale_tril=tril)
        assert log_likelihood(wide, rows) >= log_likelihood(moved, rows)


def test_a_density_may_have_a_positive_log_likelihood() -> None:  # E-M28
    x = t([0.0, 0.1])
    assert log_likelihood(fit_normal(x), x) > 0


@pytest.mark.parametrize("columns", [2, 5])
def test_rows_in_a_hyperplane_have_no_normal_law(columns: int) -> None:
    rows = torch.randn(50, columns, dtype=torch.float64)
    rows[:, -1] = rows[:, :-1].sum(dim=1)
    with pytest.raises(DataError, match=f"{columns} columns need rows that span them"):
        fit_multivariate_normal(rows)
    with pytest.raises(DataError, match="columns need rows"):
        fit_multivariate_normal(torch.ones(10, columns))
    # A column in other units is no hyperplane.
    rows[:, -1] = 1e-9 * torch.randn(50, dtype=torch.float64)
    assert fit_multivariate_normal(rows).event_shape == (columns,)


def test_mistakes_are_named() -> None:
    with pytest.raises(DataError, match="at least 1 row"):
        fit_normal(torch.empty(0))
    with pytest.raises(DataError, match="infinity in row 1"):
        fit_normal(t([0.0, float("nan")]))
    with pytest.raises(DataError, match="values that differ"):
        fit_normal(torch.ones(3))
    with pytest.raises(DataError, match=r"values 0 or 1, got 0\.5"):
        fit_bernoulli(t([0.5]))
    with pytest.raises(DataError, match=r"in \[0, 2\), got 0 to 2"):
        fit_categorical(torch.tensor([0, 2]), 2)
    with pytest.raises(ValueError, match="must be integers"):
        fit_categorical(t([0.0]), 2)
    with pytest.raises(ValueError, match=r"must be \[K, D\]"):
        fit_multivariate_normal(torch.randn(3))
    with pytest.raises(DataError, match="counts"):
        fit_poisson(t([0.5]))
    with pytest.raises(DataError, match="exponential"):
        fit_exponential(t([-1.0]))


def test_whole_numbers_are_numbers() -> None:
    assert fit_normal(torch.tensor([1, 3])).loc.item() == 2.0
    assert fit_exponential(torch.tensor([1, 3])).rate.item() == 0.5
    assert fit_multivariate_normal(torch.tensor([[0, 1], [1, 0], [2, 5]])).loc.tolist() == [1, 2]
