import math

import pytest
from torch import tensor

from ancestral.diffusion import chain_levels, geometric_levels, karras_levels
from ancestral.networks import cosine_schedule


@pytest.mark.parametrize("make", [karras_levels, geometric_levels])
def test_levels_fall_from_the_highest_to_the_lowest_and_then_to_nothing(make: type) -> None:
    for steps in (2, 7, 100):
        levels = make(steps, lowest=0.01, highest=80.0)
        assert len(levels) == steps + 1
        assert levels[0] == pytest.approx(80.0)
        assert levels[-2] == pytest.approx(0.01)
        assert levels[-1] == 0
        assert bool((tensor(levels).diff() < 0).all())
    assert make(1, lowest=0.01, highest=80.0) == pytest.approx((80.0, 0.0))
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        make(0, lowest=0.01, highest=80.0)
    with pytest.raises(ValueError, match="above 0 and rise, got 2 and 1"):
        make(3, lowest=2, highest=1)


def test_high_powers_are_geometric() -> None:
    a = karras_levels(9, lowest=0.1, highest=10.0, rho=1e5)
    assert a == pytest.approx(geometric_levels(9, lowest=0.1, highest=10.0), rel=1e-3)


def test_a_chain_gives_its_own_levels() -> None:
    kept = cosine_schedule(10)()
    levels = chain_levels(kept)
    # Kept is cos^2 of an angle, so that noise over data is its tangent.
    assert levels[:-1] == pytest.approx([math.tan(t / 11 * math.pi / 2) for t in range(10, 0, -1)])
    assert chain_levels(kept, 5)[:-1] == pytest.approx(levels[:-1:2])
    with pytest.raises(ValueError, match="steps must be at most 10"):
        chain_levels(kept, 11)
