import math

import pytest
import torch
from tests.contracts.models import Case, cases
from torch import Generator, Tensor

from ancestral.errors import AncestralError

pytestmark = cases("density")


def grid(case: Case) -> tuple[Tensor, float]:
    """Return points that cover all the mass of the small cases, and the volume of one."""
    if case.states:
        return torch.cartesian_prod(*map(torch.arange, case.states)), 1.0
    event = case.held_out.x.shape[1:]
    if event.numel() > 2:
        pytest.skip("no grid covers more than two numbers")
    axis = torch.linspace(-6, 6, 301, dtype=torch.float64)
    step = float(axis[1] - axis[0])
    return torch.cartesian_prod(*[axis] * event.numel()).reshape(-1, *event), step ** event.numel()


def test_log_prob_is_one_finite_number_an_example(case: Case) -> None:
    x = case.held_out.x
    value = case.fitted().log_prob(x)
    assert value.shape == (len(x),)
    assert value.isfinite().all()
    parts = torch.cat([case.fitted().log_prob(x[:1]), case.fitted().log_prob(x[1:])])
    torch.testing.assert_close(parts, value, rtol=1e-5, atol=1e-5)  # Data are float32.


def test_the_density_integrates_to_one(case: Case) -> None:
    points, volume = grid(case)
    total = case.fitted().log_prob(points).exp().sum() * volume
    assert float(total) == pytest.approx(1, abs=1e-4)


def test_draws_follow_the_density(case: Case) -> None:
    points, volume = grid(case)
    log_density = case.fitted().log_prob(points)
    weights = log_density.exp() * volume
    mean = float((weights * log_density).sum())
    spread = math.sqrt(float((weights * (log_density - mean).square()).sum()))
    draws = case.fitted().sample(4000, generator=Generator().manual_seed(0))
    got = float(case.fitted().log_prob(draws).mean())
    assert got == pytest.approx(mean, abs=5 * spread / math.sqrt(4000) + 1e-6)


def test_a_fitted_model_explains_held_out_data_better_than_far_away_data(case: Case) -> None:
    if case.states:
        pytest.skip("states are not far away from one another")
    x = case.held_out.x
    assert case.fitted().log_prob(x).mean() > case.fitted().log_prob(x + 20).mean() + 1


def test_gradients_flow_to_the_data(case: Case) -> None:
    if case.states:
        pytest.skip("states have no gradient")
    if case.name.startswith("hmm"):
        pytest.skip("its recursions are NumPy's")
    x = case.held_out.x.double().requires_grad_()
    (gradient,) = torch.autograd.grad(case.fitted().log_prob(x).sum(), x)
    assert gradient.isfinite().all()
    direction = torch.randn(x.shape, dtype=torch.float64, generator=Generator().manual_seed(0))
    with torch.no_grad():
        ahead, behind = (case.fitted().log_prob(x + t * direction).sum() for t in (1e-5, -1e-5))
    slope = float((gradient * direction).sum())
    assert float(ahead - behind) / 2e-5 == pytest.approx(slope, rel=1e-4, abs=1e-3)


def test_unknown_nodes_are_refused(case: Case) -> None:
    with pytest.raises((ValueError, AncestralError), match="nonsense"):
        case.fitted().log_prob(case.held_out.x, given={"nonsense": torch.tensor(0)})
