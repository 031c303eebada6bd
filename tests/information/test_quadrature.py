import numpy as np
import pytest

from ancestral.information.quadrature import Array, integrate


@pytest.mark.parametrize("where", [0.5, 0.500001, 0.75 - 1e-5, 1e-7, 0.3, 1 - 1e-9])
def test_kinks_and_jumps_are_seen_wherever_they_are(where: float) -> None:
    # A difference of the rules below the tolerance, 1e-13, is let pass.
    # At 1e-5 beside a place of halving no node of Gauss's rule would lie behind it.
    def f(x: Array) -> Array:
        return np.stack((np.abs(x - where), x > where))

    (kink, jump), error = integrate(f, np.array([0.0, 1.0]))
    assert abs(kink - (where**2 + (1 - where) ** 2) / 2) <= error + 1e-13
    assert error < 1e-12
    (jump,), error = integrate(lambda x: (x > where)[None].astype(float), np.array([0.0, 1.0]))
    assert abs(jump - (1 - where)) <= error + 1e-13
    assert error < 1e-12


def test_smooth_functions_cost_one_pass() -> None:
    calls = []

    def f(x: Array) -> Array:
        calls.append(len(x))
        return np.stack((np.exp(x), np.cos(x)))

    found, error = integrate(f, np.linspace(0, 2, 9))
    assert found == pytest.approx([np.exp(2) - 1, np.sin(2)], abs=1e-14)
    assert error < 1e-12
    assert calls == [8 * 17]


def test_many_pieces_that_jump_at_their_edges() -> None:
    edges = np.linspace(0, 1, 10_001)
    # Continuous from the left, as quantile functions are.
    (found,), error = integrate(lambda x: np.searchsorted(edges, x)[None] * 1.0, edges)
    assert found == pytest.approx(5000.5, abs=1e-8)
    assert error < 1e-8


def test_an_integral_that_overflows_is_infinite() -> None:
    with np.errstate(all="ignore"):
        (found,), _ = integrate(lambda x: np.exp(1000 * x)[None], np.array([0.0, 1.0]))
    assert found == np.inf
