"""IT-06: the data of figure 38."""

import math

import pytest
import torch
from torch.distributions import Categorical, Cauchy, MixtureSameFamily, Normal

from ancestral.errors import CapabilityError
from ancestral.information import closest_normal, kl


def t(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def bimodal(weights: list[float]) -> MixtureSameFamily:
    centres = torch.tensor([-3.0, 3.0], dtype=torch.float64)
    return MixtureSameFamily(
        Categorical(torch.tensor(weights, dtype=torch.float64)), Normal(centres, 0.7)
    )


GRID = torch.linspace(-15, 15, 30_001, dtype=torch.float64)


def on_grid(p: torch.distributions.Distribution, q: torch.distributions.Distribution) -> float:
    log_p, log_q = p.log_prob(GRID), q.log_prob(GRID)
    return torch.trapezoid(log_p.exp() * (log_p - log_q), GRID).item()


@pytest.mark.parametrize("weights", [[0.5, 0.5], [0.3, 0.7]])
def test_covering_matches_the_moments_and_spans_both_modes(weights: list[float]) -> None:
    p = bimodal(weights)
    q = closest_normal(p, "cover")
    assert q.loc.item() == pytest.approx(3 * (weights[1] - weights[0]))
    assert q.scale.item() > 2.5
    best = on_grid(p, q)
    for shift, factor in ((0.05, 1.0), (-0.05, 1.0), (0.0, 1.03), (0.0, 0.97)):
        assert on_grid(p, Normal(q.loc + shift, factor * q.scale)) > best
    assert float(kl(p, q, draws=50_000)) == pytest.approx(best, abs=0.02)


@pytest.mark.parametrize(("start", "mode"), [(-2.0, -3.0), (2.0, 3.0), (1.0, 3.0)])
def test_seeking_sits_on_one_mode(start: float, mode: float) -> None:
    p = bimodal([0.5, 0.5])
    q = closest_normal(p, "seek", start=Normal(t(start), t(1.0)))
    assert q.loc.item() == pytest.approx(mode, abs=0.1)
    assert q.scale.item() == pytest.approx(0.7, abs=0.1)
    # Half the mass is missing: log 2, and nothing else.
    assert on_grid(q, p) == pytest.approx(math.log(2), abs=1e-3)
    best = on_grid(q, p)
    for shift, factor in ((0.05, 1.0), (-0.05, 1.0), (0.0, 1.05), (0.0, 0.95)):
        assert on_grid(Normal(q.loc + shift, factor * q.scale), p) > best
    assert on_grid(closest_normal(p, "cover"), p) > best


def test_a_normal_law_is_its_own_projection() -> None:
    p = Normal(t(1.5), t(0.4))
    for direction in ("cover", "seek"):
        q = closest_normal(p, direction)  # type: ignore[arg-type]
        assert (q.loc.item(), q.scale.item()) == pytest.approx((1.5, 0.4), abs=1e-8)


def test_mistakes_are_named() -> None:
    with pytest.raises(CapabilityError, match="Cauchy has no finite mean"):
        closest_normal(Cauchy(t(0.0), t(1.0)), "cover")
    with pytest.raises(ValueError, match="direction must be 'cover' or 'seek', got 'both'"):
        closest_normal(Normal(t(0.0), t(1.0)), "both")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one real number"):
        closest_normal(Normal(torch.zeros(2), 1.0), "seek")
