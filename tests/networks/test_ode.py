import math

import pytest
import torch
from torch import Generator, Tensor

from ancestral.errors import DivergenceError
from ancestral.networks.ode import (
    METHODS,
    even,
    exact_divergence,
    hutchinson_divergence,
    integrate,
    integrate_with_log_det,
    walk,
)
from ancestral.nn import TimedMLP

MATRIX = torch.tensor([[0.5, -1.0, 0.2], [0.8, -0.3, 0.0], [0.1, 0.4, 0.6]], dtype=torch.float64)


def linear(x: Tensor, t: Tensor) -> Tensor:
    del t
    return x @ MATRIX.T


def growth(x: Tensor, t: Tensor) -> Tensor:
    """The solution from 1 at time 0 is exp(sin(3 t)): time and place both count."""
    return 3 * torch.cos(3 * t)[:, None] * x


def points(n: int = 4, features: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(n, features, dtype=torch.float64, generator=Generator().manual_seed(seed))


def curved() -> TimedMLP:
    torch.manual_seed(0)
    network = TimedMLP(3, hidden=(16, 16)).double()
    torch.nn.init.normal_(network.output.weight, std=0.5)
    return network.requires_grad_(False)


@pytest.mark.parametrize(
    ("method", "steps"), [("euler", 80), ("heun", 40), ("rk4", 20), ("dopri5", 10)]
)
def test_the_error_falls_with_the_order_of_the_method(method: str, steps: int) -> None:
    exact = math.exp(math.sin(3))
    start = torch.ones(1, 1, dtype=torch.float64)
    errors = [
        abs(integrate(growth, start, even(n), method=method).item() - exact)
        for n in (steps, 2 * steps)
    ]
    # The next term of the error is a few percent of the first at these steps.
    assert math.log2(errors[0] / errors[1]) == pytest.approx(METHODS[method].order, abs=0.25)


@pytest.mark.parametrize("method", METHODS)
def test_a_linear_field_goes_along_the_matrix_exponential(method: str) -> None:
    x = points()
    exact = x @ torch.linalg.matrix_exp(MATRIX).T
    steps = {"euler": 20_000, "heun": 400}.get(method, 40)
    got = integrate(linear, x, even(steps), method=method)
    torch.testing.assert_close(got, exact, atol=1e-4, rtol=0)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9])
def test_the_adaptive_method_keeps_to_its_tolerance(tolerance: float) -> None:
    x = torch.ones(1, 1, dtype=torch.float64)
    got = integrate(growth, x, (0.0, 1.0), method="adaptive", tolerance=tolerance).item()
    # A tolerance is of one step; the field stretches errors by at most e and there are few steps.
    assert abs(got - math.exp(math.sin(3))) < 30 * tolerance


def test_the_adaptive_method_makes_few_steps_where_little_happens() -> None:
    counts = []
    for tolerance in (1e-3, 1e-6):
        times: list[float] = []

        def counted(x: Tensor, t: Tensor, times: list[float] = times) -> Tensor:
            times.append(t[0].item())
            return growth(x, t)

        integrate(counted, points(2, 1), (0.0, 1.0), method="adaptive", tolerance=tolerance)
        counts.append(len(times))
    assert counts[0] < counts[1] < 300


@pytest.mark.parametrize("method", ["rk4", "adaptive"])
def test_there_and_back_is_where_it_began(method: str) -> None:
    network, x = curved(), points()
    times = even(100) if method == "rk4" else (0.0, 1.0)
    ahead = integrate(network, x, times, method=method, tolerance=1e-8)
    back = integrate(network, ahead, times[::-1], method=method, tolerance=1e-8)
    assert not torch.allclose(ahead, x, atol=0.1)
    torch.testing.assert_close(back, x, atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", [*METHODS, "adaptive"])
def test_a_walk_stops_at_every_time(method: str) -> None:
    x, times = points(), (0.0, 0.25, 0.3, 1.0)
    stops = list(walk(linear, x, times, method=method))
    assert len(stops) == 3
    torch.testing.assert_close(stops[-1], integrate(linear, x, times, method=method))
    if METHODS.get(method, METHODS["dopri5"]).order > 2:
        for stop, time in zip(stops, times[1:], strict=True):
            exact = x @ torch.linalg.matrix_exp(time * MATRIX).T
            torch.testing.assert_close(stop, exact, atol=1e-2, rtol=0)


def test_gradients_flow_through_the_steps() -> None:
    x = points().requires_grad_()
    for method in ("heun", "adaptive"):

        def end(x: Tensor, method: str = method) -> Tensor:
            return integrate(curved(), x, even(8), method=method, tolerance=1e-6).square().sum()

        (gradient,) = torch.autograd.grad(end(x), x)
        direction = points(seed=1)
        with torch.no_grad():
            ahead, behind = end(x + 1e-5 * direction), end(x - 1e-5 * direction)
        slope = float((gradient * direction).sum())
        # The adaptive steps differ a little between both ends.
        assert float(ahead - behind) / 2e-5 == pytest.approx(slope, rel=1e-3)


def test_a_velocity_that_is_not_finite_ends_at_once() -> None:
    calls = []

    def broken(x: Tensor, t: Tensor) -> Tensor:
        calls.append(t)
        return x * math.nan

    with pytest.raises(DivergenceError, match="cannot keep to a tolerance of 1e-06"):
        integrate(broken, points(), (0.0, 1.0), method="adaptive")
    assert len(calls) < 1000


def test_no_step_and_unknown_methods_are_refused() -> None:
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        even(0)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        integrate(linear, points(), (0.0,))
    with pytest.raises(ValueError, match=r"method must be one of euler, heun, .*, got 'magic'"):
        integrate(linear, points(), even(2), method="magic")


def test_the_exact_divergence_is_the_trace_of_autograd() -> None:
    network, x = curved(), points()
    t = torch.rand(4, dtype=torch.float64)
    value, trace = exact_divergence(network, x, t)
    torch.testing.assert_close(value, network(x, t))
    for row in range(len(x)):

        def alone(at: Tensor, row: int = row) -> Tensor:
            return network(at[None], t[row : row + 1])[0]

        jacobian = torch.autograd.functional.jacobian(alone, x[row])
        assert isinstance(jacobian, Tensor)
        assert trace[row].item() == pytest.approx(jacobian.trace().item(), rel=1e-9)


def test_the_log_determinant_of_a_linear_field_is_the_trace() -> None:
    x = points()
    end, log_det = integrate_with_log_det(
        linear, x, (0.0, 1.0), divergence=exact_divergence, tolerance=1e-8
    )
    torch.testing.assert_close(end, x @ torch.linalg.matrix_exp(MATRIX).T, atol=1e-6, rtol=0)
    torch.testing.assert_close(log_det, MATRIX.trace().expand(4))


def test_the_log_determinant_is_that_of_the_jacobian_of_the_way() -> None:
    network, x = curved(), points(1)
    _, log_det = integrate_with_log_det(
        network, x, (0.0, 1.0), divergence=exact_divergence, tolerance=1e-9
    )
    jacobian = torch.autograd.functional.jacobian(
        lambda at: integrate(network, at[None], even(200), method="rk4")[0], x[0]
    )
    assert isinstance(jacobian, Tensor)
    assert log_det.item() == pytest.approx(torch.linalg.slogdet(jacobian)[1].item(), abs=1e-6)


def test_the_hutchinson_trace_is_unbiased() -> None:
    network, n = curved(), 4000
    x = points(1).expand(n, 3)
    noise = torch.randint(2, (n, 3), generator=Generator().manual_seed(0)).double() * 2 - 1
    times = even(20)
    _, exact = integrate_with_log_det(
        network, x[:1], times, divergence=exact_divergence, method="rk4"
    )
    _, each = integrate_with_log_det(
        network, x, times, divergence=hutchinson_divergence(noise), method="rk4"
    )
    error = each.std().item() / math.sqrt(n)
    assert error > 0
    assert each.mean().item() == pytest.approx(exact.item(), abs=4 * error)


def test_images_keep_their_shape() -> None:
    x = torch.randn(2, 1, 2, 2, dtype=torch.float64)
    end, log_det = integrate_with_log_det(
        lambda x, t: -x * t.reshape(-1, 1, 1, 1), x, (0.0, 1.0), divergence=exact_divergence
    )
    torch.testing.assert_close(end, x * math.exp(-0.5), atol=1e-4, rtol=0)
    torch.testing.assert_close(log_det, torch.full((2,), -2.0, dtype=torch.float64))
