import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import MultivariateNormal

from ancestral.classic.incomplete import IncompleteMixture, fit_incomplete


def rows(n: int, features: int, *, share: float, seed: int = 0) -> Tensor:
    """Two skewed clusters, a share of the cells missing."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, features, dtype=torch.float64, generator=generator)
    x[:, -1] += 0.8 * x[:, 0] + 3 * (torch.arange(n) % 2)
    gone = torch.rand(n, features, dtype=torch.float64, generator=generator) < share
    return x.masked_fill(gone, math.nan)


def mixture() -> IncompleteMixture:
    means = torch.tensor([[0.0, 1.0, -1.0], [2.0, 0.0, 3.0]], dtype=torch.float64)
    root = torch.tensor([[1.0, 0, 0], [0.5, 0.8, 0], [-0.3, 0.4, 0.6]], dtype=torch.float64)
    return IncompleteMixture(torch.tensor([0.3, 0.7]).double(), means, root @ root.T)


def test_without_gaps_one_gaussian_is_the_closed_form() -> None:
    x = rows(400, 3, share=0)
    found = fit_incomplete(x, components=1, shrinkage=0, tolerance=1e-12)
    covariance = torch.cov(x.T, correction=0)
    torch.testing.assert_close(found.means[0], x.mean(0), rtol=0, atol=1e-10)
    torch.testing.assert_close(found.covariance, covariance, rtol=0, atol=1e-10)
    closed = MultivariateNormal(x.mean(0), covariance)
    torch.testing.assert_close(found.log_prob(x), closed.log_prob(x), rtol=0, atol=1e-9)


def test_gaps_are_summed_out_and_at_their_conditional_mean() -> None:
    p, whole = mixture(), torch.tensor([0.5, -0.2, 1.5], dtype=torch.float64)
    patterns = torch.cartesian_prod(*[torch.tensor([False, True])] * 3)
    x = whole.masked_fill(~patterns, math.nan)
    log_prob, filled = p.log_prob(x), p.expected(x)
    for known, log_p, row in zip(patterns, log_prob, filled, strict=True):
        a, b = known.nonzero()[:, 0], (~known).nonzero()[:, 0]
        cross = p.covariance[b][:, a]
        within = p.covariance[a][:, a]
        joint = p.weights.log()
        if len(a):
            joint = joint + MultivariateNormal(p.means[:, a], within).log_prob(whole[a])
        each = p.means[:, b] + (whole[a] - p.means[:, a]) @ within.inverse() @ cross.T
        torch.testing.assert_close(log_p, joint.logsumexp(0), rtol=0, atol=1e-12)
        torch.testing.assert_close(row[b], joint.softmax(0) @ each, rtol=0, atol=1e-12)
        assert torch.equal(row[a], whole[a])


def test_gaps_in_one_of_two_columns_have_a_closed_form() -> None:
    # Anderson 1957: the regression of the rows that are whole, at the mean of all rows.
    x = rows(200, 2, share=0)
    x[:80, 1] = math.nan
    found = fit_incomplete(x, components=1, shrinkage=0, sweeps=100, tolerance=-math.inf)
    whole = x[80:]
    slope = torch.cov(whole.T, correction=0)[0, 1] / whole[:, 0].var(correction=0)
    mean = whole[:, 1].mean() + slope * (x[:, 0].mean() - whole[:, 0].mean())
    torch.testing.assert_close(found.means[0, 1], mean, rtol=0, atol=1e-9)
    torch.testing.assert_close(
        found.covariance[0, 1], slope * x[:, 0].var(correction=0), rtol=0, atol=1e-9
    )


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    features=st.integers(1, 4),
    share=st.sampled_from([0.0, 0.2, 0.6]),
)
def test_a_sweep_never_lowers_the_likelihood(seed: int, features: int, share: float) -> None:
    x = rows(60, features, share=share, seed=seed)
    at = MultivariateNormal(torch.zeros(features).double(), torch.eye(features).double())
    means = at.sample((3,))
    # Weights count one row more of each component: these stay as they are without that one.
    p = IncompleteMixture(torch.full((3,), 1 / 3).double(), means, at.covariance_matrix)
    least, seen = torch.zeros(features).double(), []
    for _ in range(15):
        p, log_prob = p.improved(x, shrinkage=0, least=least)
        smoothing = p.weights.log().sum().item() / len(x)
        seen.append((log_prob, smoothing))
    # Of a sweep the figure is that before it; the prior of its weights is that of the one before.
    penalised = [log + prior for (log, _), (_, prior) in zip(seen[1:], seen, strict=False)]
    assert bool((torch.tensor(penalised).diff() > -1e-9).all())


def test_correlations_are_shrunk_and_variances_kept() -> None:
    x = rows(400, 2, share=0)
    plain, shrunk = (fit_incomplete(x, components=1, shrinkage=by) for by in (0, 0.25))
    torch.testing.assert_close(shrunk.covariance.diag(), plain.covariance.diag())
    torch.testing.assert_close(shrunk.covariance[0, 1], plain.covariance[0, 1] / 1.25)


def test_clusters_tell_what_a_line_does_not() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(600, 2, dtype=torch.float64, generator=generator) * 0.3
    group = torch.arange(600) % 3
    x += torch.tensor([[-3.0, 2.0], [0.0, -1.0], [3.0, 2.0]], dtype=torch.float64)[group]
    p = fit_incomplete(x, components=3, shrinkage=0.01, generator=generator)
    asked = torch.tensor([[-3.0, math.nan], [0.0, math.nan], [3.0, math.nan]]).double()
    truth = torch.tensor([2.0, -1.0, 2.0]).double()  # Its standard error is 0.3 / sqrt(200).
    torch.testing.assert_close(p.expected(asked)[:, 1], truth, rtol=0, atol=0.15)


def test_a_column_that_is_never_known_or_never_varies() -> None:
    x = rows(50, 3, share=0.2)
    x[:, 1], x[:, 2] = math.nan, 4.0
    p = fit_incomplete(x, components=2, shrinkage=0.1, generator=torch.Generator().manual_seed(0))
    filled = p.expected(x)
    assert bool(filled.isfinite().all())
    assert filled[:, 1].tolist() == pytest.approx([0.0] * 50)
