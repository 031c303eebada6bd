import numpy as np
import pytest
import torch
from scipy.stats import energy_distance, ks_2samp
from sklearn.datasets import make_moons, make_swiss_roll

from ancestral.data import toys

NAMES = list(toys.TOYS)


@pytest.mark.parametrize("name", NAMES)
def test_constants_are_the_moments_of_the_law(name: str) -> None:
    n = 400_000
    x = toys.draw(name, n, 9)
    # Of unit variance: the mean has standard error 1 / sqrt(n); the variance that of x^2.
    five = 5 / n**0.5
    assert x.mean(dim=0).abs().max() < five
    square = x.square()
    assert ((square.mean(dim=0) - 1).abs() < five * square.std(dim=0)).all()


@pytest.mark.parametrize("name", NAMES)
def test_points_are_finite_and_repeat_by_their_entropy_only(name: str) -> None:
    first, again, other = (toys.draw(name, 1000, 0, seed) for seed in (1, 1, 2))
    assert first.dtype == torch.float64
    assert first.shape == (1000, 2)
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def two_samples_agree(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Compare laws by Kolmogorov and Smirnov, on both margins and four oblique directions."""
    for angle in np.linspace(0, np.pi, 6, endpoint=False):
        direction = np.array([np.cos(angle), np.sin(angle)])
        # Six seeded tests: fails by chance once in 10^4.
        assert ks_2samp(ours @ direction, theirs @ direction).pvalue > 1e-5


def test_swiss_roll_has_the_law_of_scikit_learn() -> None:
    ours = toys.swiss_roll(20_000, np.random.default_rng(0))
    theirs = make_swiss_roll(20_000, noise=0.1, random_state=1)[0][:, [0, 2]]
    two_samples_agree(ours, theirs)


def test_a_test_of_two_samples_sees_another_roll() -> None:
    ours = toys.swiss_roll(20_000, np.random.default_rng(0))
    theirs = make_swiss_roll(20_000, noise=1.0, random_state=1)[0][:, [0, 2]]
    assert energy_distance(ours[:, 0], theirs[:, 0]) > 0.0
    with pytest.raises(AssertionError):
        two_samples_agree(ours, theirs)


def test_moons_have_the_law_of_scikit_learn() -> None:
    ours = toys.moons(20_000, np.random.default_rng(0))
    theirs = make_moons(20_000, noise=0.1, random_state=1)[0]
    two_samples_agree(ours, theirs)


def test_the_sheet_fills_the_books_box() -> None:
    x = toys.swiss_roll_3d(100_000, np.random.default_rng(0))
    # DS-02, widened by five deviations of the noise.
    for column, (low, high) in enumerate([(-9.5, 12.6), (0, 21), (-11, 14.1)]):
        assert low - 0.5 < x[:, column].min() < low + 0.5
        assert high - 0.5 < x[:, column].max() < high + 0.5


def test_ring_has_eight_equal_modes() -> None:
    x = toys.ring(80_000, np.random.default_rng(0))
    mode = np.round(np.arctan2(x[:, 1], x[:, 0]) / (np.pi / 4)).astype(int) % 8
    counts = np.bincount(mode, minlength=8)
    # Binomial deviation sqrt(80,000 * 1/8 * 7/8) = 94.
    assert np.abs(counts - 10_000).max() < 470


def test_checkerboard_fills_dark_squares_only() -> None:
    x = toys.checkerboard(80_000, np.random.default_rng(0))
    square = np.floor(x / 2).astype(int)
    assert set((square.sum(axis=1) % 2).tolist()) == {0}
    _, counts = np.unique(square, axis=0, return_counts=True)
    assert len(counts) == 8
    assert np.abs(counts - 10_000).max() < 470


def test_no_points_are_refused() -> None:
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        toys.draw("ring", 0, 1)
