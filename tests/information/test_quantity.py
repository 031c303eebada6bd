import math

import pytest
import torch
from torch.distributions import Exponential, MultivariateNormal, Normal, Uniform

from ancestral.information import Quantity, entropy
from ancestral.information.laws import log_prob
from ancestral.information.quantity import draw, exact, mean_of


def test_a_mean_has_its_standard_error() -> None:
    values = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    mean = mean_of(values)
    assert (float(mean), mean.kind) == (2.5, "estimate")
    assert float(mean.se) == pytest.approx(values.std().item() / 2)


def test_which_means_have_an_error() -> None:
    u = torch.rand(10_000, 300, dtype=torch.float64)
    for light in (u, -u.log(), u.log().square(), u**-0.25, (u < 0.01).double(), u * 0):
        assert mean_of(light).se.isfinite().double().mean() > 0.98
    # From x^-0.5 on the variance is infinite; further on it is seen nearly always.
    assert mean_of(u**-0.8).se.isinf().double().mean() > 0.75
    assert mean_of(1e100 * u**-2.0).se.isinf().all()
    assert mean_of(u[:20] ** -2.0).se.isfinite().all()  # Few draws say nothing.


def test_an_infinite_mean_has_no_error() -> None:
    mean = mean_of(torch.tensor([1.0, math.inf]))
    assert (float(mean), float(mean.se)) == (math.inf, 0.0)


def test_units_scale_value_and_error() -> None:
    bits = Quantity(torch.tensor(math.log(8.0)), torch.tensor(math.log(2.0)), "estimate").in_base(2)
    assert float(bits) == pytest.approx(3)
    assert float(bits.se) == pytest.approx(1)


@pytest.mark.parametrize("base", [1, 0.5, -2])
def test_a_base_below_one_is_refused(base: float) -> None:
    with pytest.raises(ValueError, match="base must be greater than 1"):
        entropy(torch.tensor([0.5, 0.5]), base=base)


def test_its_words_say_what_it_is() -> None:
    assert repr(exact(torch.tensor(0.25))) == "0.25 (exact)"
    assert repr(Quantity(torch.tensor(1.0), torch.tensor(0.5), "estimate")) == "1 (estimate, ± 0.5)"
    assert repr(exact(torch.zeros(3))) == "Quantity(exact, shape [3])"


def test_what_is_not_a_number_is_not_exact() -> None:
    broken = exact(torch.tensor([1.0, math.nan]))
    assert broken.kind == "estimate"
    assert bool(broken.se.isnan().all())


def test_a_sum_is_as_sure_as_its_parts() -> None:
    parts = [Quantity(torch.tensor(1.0), torch.tensor(0.1), k) for k in ("quadrature", "exact")]
    total = parts[0] + parts[1]
    assert (float(total), total.kind) == (2.0, "quadrature")
    assert float(total.se) == pytest.approx(0.2)


def test_draws_repeat_and_leave_the_global_state_alone() -> None:
    before = torch.get_rng_state()
    first, second = (draw(Normal(0.0, 1.0), 5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())
    with pytest.raises(ValueError, match="draws must be at least 2, got 1"):
        draw(Normal(0.0, 1.0), 1, None)


def test_outside_the_support_the_density_is_zero() -> None:
    x = torch.tensor([-1.0, 0.5])
    assert log_prob(Exponential(1.0), x).tolist() == [-math.inf, -0.5]
    batched = log_prob(
        Uniform(torch.zeros(2), torch.tensor([1.0, 4.0])), torch.tensor([[2.0, 2.0]])
    )
    torch.testing.assert_close(batched, torch.tensor([[-math.inf, -math.log(4)]]))
    plane = MultivariateNormal(torch.zeros(2), torch.eye(2))
    torch.testing.assert_close(
        log_prob(plane, torch.zeros(3, 2)), plane.log_prob(torch.zeros(3, 2))
    )
