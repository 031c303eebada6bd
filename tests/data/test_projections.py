import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from ancestral.data.projections import (
    PrincipalAxes,
    dimensions_for,
    principal_angles,
    random_projection,
)

pytestmark = pytest.mark.usefixtures("float64")


def test_axes_and_variances_are_those_of_scikit_learn() -> None:
    x = torch.randn(200, 5) @ torch.randn(5, 5) + 3
    found, wanted = PrincipalAxes.of(x, 3), PCA(3).fit(x.numpy())
    np.testing.assert_allclose(found.variances, wanted.explained_variance_ * 199 / 200)
    np.testing.assert_allclose(found(x).abs(), np.abs(wanted.transform(x.numpy())), atol=1e-9)
    back = wanted.inverse_transform(wanted.transform(x.numpy()))
    np.testing.assert_allclose(found.back(found(x)), back)
    lost = (found.back(found(x)) - x).square().sum(1).mean()
    torch.testing.assert_close(lost, PrincipalAxes.of(x, 5).variances[3:].sum())
    with pytest.raises(ValueError, match="count must be from 1 to 5, got 6"):
        PrincipalAxes.of(x, 6)


def test_angles_between_two_planes() -> None:
    tilt = torch.tensor(1e-7)
    one = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])
    other = torch.stack([torch.tensor([2.0, 2.0, 0]), torch.stack([tilt.cos(), -tilt.cos(), tilt])])
    angles = principal_angles(one, other)
    assert float(angles.max()) == pytest.approx(float(tilt) / 2**0.5, rel=1e-6)
    assert float(angles.min()) < 1e-15


def pairs_kept(dimensions: int, seed: int, error: float = 0.5) -> bool:
    x = torch.randn(200, 1000)
    z = random_projection(x, dimensions, generator=torch.Generator().manual_seed(seed))
    ratio = torch.pdist(z).square() / torch.pdist(x).square()
    return bool(((ratio >= 1 - error) & (ratio <= 1 + error)).all())


def test_random_projections_keep_distances_where_the_bound_says_so() -> None:
    assert dimensions_for(200, 0.5) == 255
    assert sum(pairs_kept(255, seed) for seed in range(40)) >= 38
    assert not any(pairs_kept(63, seed) for seed in range(40))


def test_a_squared_distance_is_kept_in_the_mean() -> None:
    x, generator = torch.ones(1, 50), torch.Generator().manual_seed(0)
    squares = torch.stack(
        [random_projection(x, 10, generator=generator).square().sum() for _ in range(2000)]
    )
    # Of 10 numbers the squared norm is 50/10 times a chi-square of 10 degrees.
    assert abs(float(squares.mean()) - 50) < 5 * 50 * (2 / 10) ** 0.5 / 2000**0.5


@pytest.mark.parametrize(("points", "error"), [(1, 0.5), (10, 0.0), (10, 1.0)])
def test_what_is_out_of_range_is_refused(points: int, error: float) -> None:
    with pytest.raises(ValueError, match="must"):
        dimensions_for(points, error)
    with pytest.raises(ValueError, match="dimensions must be at least 1, got 0"):
        random_projection(torch.zeros(2, 3), 0)
