import math

import pytest
import torch

from ancestral.information.heavy_tails import has_error, tail_index


@pytest.mark.parametrize("k", [0.1, 0.3, 0.6, 1.0, 3.0])
def test_the_index_of_pareto_draws(k: float) -> None:
    u = torch.rand(20_000, 200, dtype=torch.float64)
    found = tail_index(u**-k)
    # About (1 + k) / sqrt(424) of spread; the prior pulls towards 1/2 by a fortieth of the way.
    spread = (1 + k) / math.sqrt(3 * math.sqrt(20_000))
    assert found.mean().item() == pytest.approx((424 * k + 5) / 434, abs=0.02 + 0.02 * k)
    assert found.std().item() == pytest.approx(spread, rel=0.25 if k <= 1 else 0.8)
    # Units and other axes change nothing.
    torch.testing.assert_close(tail_index(1e200 * u[:, :3] ** -k), found[:3], rtol=1e-9, atol=1e-9)


def test_which_means_have_an_error() -> None:
    u = torch.rand(10_000, 300, dtype=torch.float64)
    for light in (u, -u.log(), u**-0.25, (u < 0.01).double(), torch.zeros_like(u)):
        assert has_error(light).double().mean() > 0.98
    # Two of its own errors above the limit.
    assert has_error(u**-0.8).double().mean() < 0.05
    assert not has_error(u**-2.0).any()
    # Few draws say nothing.
    assert has_error(u[:20] ** -2.0).all()
    assert tail_index(u[:20]).tolist() == [-math.inf] * 300
