import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ancestral.networks import interpolate, slerp

vectors = st.lists(st.floats(-5, 5), min_size=3, max_size=3).filter(
    lambda v: sum(x * x for x in v) > 1e-2
)


@given(vectors, vectors, st.integers(2, 9))
@settings(max_examples=100, deadline=None)
def test_ends_are_exact_and_slerp_keeps_the_norm_between(
    a: list[float], b: list[float], steps: int
) -> None:
    start, end = torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)
    for path in (interpolate(start, end, steps), slerp(start, end, steps)):
        assert path.shape == (steps, 3)
        torch.testing.assert_close(path[0], start)
        torch.testing.assert_close(path[-1], end)
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=0)
    if abs(cosine) < 0.999:
        norms = slerp(start, end, steps).norm(dim=1)
        expected = (
            torch.linspace(0, 1, steps, dtype=torch.float64) * (end.norm() - start.norm())
            + start.norm()
        )
        torch.testing.assert_close(norms, expected)


def test_wrong_ends_are_refused() -> None:
    with pytest.raises(ValueError, match="steps must be at least 2, got 1"):
        interpolate(torch.zeros(2), torch.ones(2), 1)
    with pytest.raises(ValueError, match="one shape"):
        slerp(torch.ones(2), torch.ones(3), 4)
