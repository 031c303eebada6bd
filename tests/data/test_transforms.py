import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor
from torch.distributions import Categorical

from ancestral.data import (
    Affine,
    Compose,
    Dequantise,
    Examples,
    Flatten,
    Levels,
    Transform,
    build,
    dequantise,
    standardise,
    symmetric,
    unit_interval,
)
from ancestral.data.transforms import States
from ancestral.errors import ConfigError, DataError, DivergenceError

numbers = st.floats(-1e6, 1e6, allow_subnormal=False)


def pixels(n: int, levels: int, *, seed: int = 0) -> Tensor:
    generator = Generator().manual_seed(seed)
    return torch.randint(0, levels, (n, 1, 4, 4), dtype=torch.uint8, generator=generator)


def affine() -> Affine:
    return Affine(torch.tensor([1.0, -2.0, 5.0]), torch.tensor([0.5, 3.0, 1.0]))


ALL: dict[str, tuple[Transform, Tensor]] = {
    "affine": (affine(), torch.arange(12.0, dtype=torch.float64).reshape(4, 3)),
    "dequantise": (Dequantise(256, mean=0.3, std=0.2), pixels(4, 256)),
    "dequantise, plain": (Dequantise(17), pixels(4, 17)),
    "unit interval": (unit_interval(256), pixels(4, 256)),
    "symmetric": (symmetric(17), pixels(4, 17)),
    "flattened": (Compose([Dequantise(256), Flatten((1, 4, 4))]), pixels(4, 256)),
    "compose": (
        Compose([Dequantise(256), Affine(torch.zeros(1, 4, 4), torch.full((1, 4, 4), 0.3))]),
        pixels(4, 256),
    ),
}


@pytest.fixture(params=list(ALL))
def case(request: pytest.FixtureRequest) -> tuple[Transform, Tensor]:
    return ALL[request.param]


def test_shapes_and_types(case: tuple[Transform, Tensor]) -> None:
    transform, x = case
    y, log_det = transform.forward_and_log_det(x, Generator().manual_seed(0))
    assert y.dtype == torch.float32
    assert y.shape == (x.shape if "flatten" not in str(transform.spec()) else (4, 16))
    assert log_det.dtype == torch.float64
    assert log_det.shape == (len(x),)
    assert torch.equal(transform(x, Generator().manual_seed(0)), y)


def test_round_trip(case: tuple[Transform, Tensor]) -> None:
    transform, x = case
    back = transform.inverse(transform(x, Generator().manual_seed(0)))
    assert back.dtype == (torch.uint8 if x.dtype == torch.uint8 else torch.float64)
    torch.testing.assert_close(back, x, rtol=1e-6, atol=1e-6)


def test_spec_and_state_rebuild_it(case: tuple[Transform, Tensor]) -> None:
    transform, x = case
    copy = build(transform.spec())
    copy.load_state_dict(transform.state_dict())
    first, second = (
        each.forward_and_log_det(x, Generator().manual_seed(3)) for each in (transform, copy)
    )
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert copy.exact == transform.exact
    assert copy.spec() == transform.spec()


@pytest.mark.parametrize("transform", [affine(), Compose([affine(), affine()])])
def test_log_det_equals_autograd(transform: Transform) -> None:
    x = torch.randn(3, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda v: transform(v[None])[0].double(), x)
    _, log_det = transform.forward_and_log_det(x[None])
    # The gradient passes through float32, whose rounding is 6e-8.
    torch.testing.assert_close(log_det[0], jacobian.slogdet().logabsdet, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("levels", "std"), [(17, 1.0), (256, 0.2)])
def test_log_det_of_dequantising_equals_autograd(levels: int, std: float) -> None:
    transform = Dequantise(levels, mean=0.4, std=std)
    x = torch.full((1, 3), 2.0, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(
        lambda v: transform(v[None], Generator().manual_seed(0))[0].double(), x[0]
    )
    _, log_det = transform.forward_and_log_det(x)
    torch.testing.assert_close(log_det[0], jacobian.slogdet().logabsdet, rtol=1e-6, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=2, max_size=20))
def test_standardise_round_trips_any_table(rows: list[list[float]]) -> None:
    x = torch.tensor(rows, dtype=torch.float64)
    transform = standardise(Examples(x))
    y = transform(x)
    assert torch.isfinite(y).all()
    # float32 keeps 24 bits of a value that lies within sqrt(N) standard deviations.
    scale = transform.std * y.abs().amax(dim=0).clamp(min=1)
    assert ((transform.inverse(y) - x).abs() <= 1e-6 * scale + 1e-9 * x.abs()).all()


@settings(max_examples=50, deadline=None)
@given(
    st.integers(2, 256),
    st.integers(0, 2**31),
    st.floats(-1, 1),
    st.floats(0.05, 2),
)
def test_dequantising_keeps_every_level(levels: int, seed: int, mean: float, std: float) -> None:
    x = pixels(64, levels, seed=seed)
    transform = Dequantise(levels, mean=mean, std=std)
    assert torch.equal(transform.inverse(transform(x, Generator().manual_seed(seed))), x)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 256), st.floats(-3, 0), st.floats(0.1, 3))
def test_levels_round_trip_on_any_interval(levels: int, low: float, high: float) -> None:
    x = torch.arange(levels).to(torch.uint8)[None]
    y, log_det = (transform := Levels(levels, low=low, high=high)).forward_and_log_det(x)
    assert torch.equal(transform.inverse(y), x)
    torch.testing.assert_close(y[0, [0, -1]], torch.tensor([low, high]), rtol=1e-5, atol=1e-5)
    assert log_det.item() == 0
    assert transform.exact
    exact = x.float()  # Levels that are float32 already stay as they are.
    assert torch.equal(transform(exact), y)
    assert torch.equal(exact, x.float())


def test_standardised_columns_have_mean_0_and_deviation_1() -> None:
    x = torch.randn(1000, 3, dtype=torch.float64) * torch.tensor([1e-8, 1.0, 1e8]) + 1e9
    y = standardise(Examples(x))(x).double()
    torch.testing.assert_close(y.mean(dim=0), torch.zeros(3).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.std(dim=0, correction=0)[1:], torch.ones(2).double())


def test_a_constant_column_is_only_centred() -> None:
    x = torch.full((50, 1), 0.1, dtype=torch.float64)
    transform = standardise(Examples(x))
    assert transform.std.item() == 1
    assert transform(x).abs().max() < 1e-6


def test_numbers_too_large_to_square_are_refused() -> None:
    x = torch.tensor([[1.0, 1e200], [2.0, -1e200]], dtype=torch.float64)
    with pytest.raises(DataError, match="column 2 holds numbers too large"):
        standardise(Examples(x))


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_dequantised_pixels_have_mean_0_and_deviation_1(levels: int) -> None:
    x = pixels(20_000, levels)
    transform = dequantise(Examples(x), levels, standard=True)
    y = transform(x, Generator().manual_seed(0)).double()
    # 320,000 pixels: standard error of the mean 0.0018, of the deviation less.
    assert abs(y.mean().item()) < 0.009
    assert abs(y.std().item() - 1) < 0.009


def test_constant_images_can_be_standardised() -> None:
    x = torch.full((10, 1, 4, 4), 255, dtype=torch.uint8)
    y = dequantise(Examples(x), 256, standard=True)(x)
    # Noise alone is left: uniform, of variance 1, so within sqrt(3).
    assert y.abs().max() < math.sqrt(3)


def test_plain_dequantising_stays_in_the_unit_interval() -> None:
    y = dequantise(Examples(pixels(50, 256)), 256, standard=False)(pixels(50, 256))
    assert y.min() >= 0
    assert y.max() < 1


def test_the_bound_is_exact_for_a_density_flat_in_each_bin() -> None:
    """log P(x) = log p(y) + log_det when p spreads each level's mass evenly over its bin."""
    levels, mean, std = 5, 0.4, 0.3
    table = Categorical(torch.tensor([0.1, 0.4, 0.2, 0.05, 0.25], dtype=torch.float64))
    x = torch.randint(0, levels, (200, 6), dtype=torch.uint8)
    transform = Dequantise(levels, mean=mean, std=std)
    y, log_det = transform.forward_and_log_det(x)

    # The bin of level k is [k / L, (k + 1) / L) before standardising: width 1 / (L std) after.
    level = ((y.double() * std + mean) * levels).floor().long()
    log_density = (table.log_prob(level) + math.log(levels * std)).sum(dim=1)
    torch.testing.assert_close(log_density + log_det, table.log_prob(x.long()).sum(dim=1))
    assert not transform.exact


def test_dequantising_never_gives_more_than_the_mass() -> None:
    """A sloping density: E_u log p + log_det stays below the log of the bin's integral."""
    levels = 4
    transform = Dequantise(levels)
    x = torch.arange(levels, dtype=torch.uint8)[:, None].repeat(1, 20_000).reshape(-1, 1)
    y, log_det = transform.forward_and_log_det(x, Generator().manual_seed(0))
    # p(y) = 2 y on [0, 1]; the mass of bin k is (2 k + 1) / L^2.
    bound = ((2 * y[:, 0].double()).log() + log_det).reshape(levels, -1).mean(dim=1)
    mass = ((2 * torch.arange(levels, dtype=torch.float64) + 1) / levels**2).log()
    gap = mass - bound
    assert (gap > 0).all()
    # Bin 0 by hand: log(1/16) - E[log(2 u / 4) - log 4] = 1 - log 2.
    assert gap[0].item() == pytest.approx(1 - math.log(2), abs=0.035)


def test_the_same_generator_gives_the_same_noise() -> None:
    transform, x = Dequantise(256), pixels(4, 256)
    first, again, other = (transform(x, Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_values_outside_go_to_the_nearest_level() -> None:
    y = torch.tensor([[-5.0, 0.4999, 7.0]])
    assert unit_interval(3).inverse(y).tolist() == [[0, 1, 2]]
    assert Dequantise(3).inverse(y).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("transform", [unit_interval(256), Dequantise(256)])
def test_pixels_that_are_not_numbers_are_refused(transform: Transform) -> None:
    with pytest.raises(DivergenceError, match="not finite"):
        transform.inverse(torch.tensor([[math.nan]]))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="levels must be between 2 and 256, got 1"):
        unit_interval(1)
    with pytest.raises(ValueError, match="std must be above 0"):
        Dequantise(256, std=0.0)
    with pytest.raises(ValueError, match="std must be above 0"):
        Affine(torch.zeros(2), torch.zeros(2))
    with pytest.raises(ValueError, match=r"mean \[2\] and std \[3\] must agree"):
        Affine(torch.zeros(2), torch.ones(3))
    with pytest.raises(ValueError, match="low must be below high"):
        Levels(256, low=1.0, high=1.0)
    with pytest.raises(ConfigError, match="not the description of a transform"):
        build({"kind": "fourier"})


def test_states_stay_as_they_are() -> None:
    x = torch.tensor([[0, 200], [3, 1]], dtype=torch.uint8)
    transform = build(States().spec())
    y, log_det = transform.forward_and_log_det(x)
    assert torch.equal(transform.inverse(y), x)
    assert transform.exact
    assert log_det.tolist() == [0.0, 0.0]
